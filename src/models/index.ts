export type { CardFacts, MeasuredRobustness, TrainingFacts } from "./card.ts";
export type { Classifier, CosineClassifier, LinearClassifier } from "./classifier.ts";
export {
  type Encoder,
  frozenWeights,
  type Normalization,
  type Parameters,
  trainableWeights,
} from "./encoder.ts";
export { type LoadOptions, loadEncoder } from "./load.ts";
export { type SaveOptions, saveEncoder } from "./save.ts";
export { encoderModel } from "./saving/encoder-model.ts";
export { randomVitParameters, type VitArchitecture, VitEncoder } from "./vit.ts";
