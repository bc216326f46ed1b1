export { readCaptions } from "./captions.ts";
export { type FidelityOptions, type MeasuredFidelity, measureFidelity } from "./fidelity.ts";
