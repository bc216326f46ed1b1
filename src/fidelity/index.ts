export { type FidelityOptions, type MeasuredFidelity, measureFidelity } from "./fidelity.ts";
