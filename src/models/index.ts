export type { Classifier, CosineClassifier, LinearClassifier } from "./classifier.ts";
export {
  type Encoder,
  frozenWeights,
  type Normalization,
  type Parameters,
  trainableWeights,
} from "./encoder.ts";
export { type LoadOptions, loadEncoder } from "./load.ts";
export { encoderModel, saveEncoder } from "./save.ts";
export { randomVitParameters, type VitArchitecture, VitEncoder } from "./vit.ts";
