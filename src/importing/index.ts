export { float32Model } from "./float32.ts";
export { type ImportedModel, type ImportOptions, importModel } from "./import-model.ts";
export { type Placement, place } from "./place.ts";
export { heldTensors, weightNames } from "./weights.ts";
