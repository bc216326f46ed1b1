export { randomVitParameters, type VitArchitecture, VitEncoder } from "./architectures/vit.ts";
export type { Classifier, CosineClassifier, LinearClassifier } from "./classifier.ts";
export {
  type Encoder,
  frozenWeights,
  type Normalization,
  type Parameters,
  trainableWeights,
} from "./encoder.ts";
export { type LoadOptions, loadEncoder } from "./load.ts";
export type { CardFacts, MeasuredRobustness, TrainingFacts } from "./saving/card.ts";
export { encoderModel } from "./saving/encoder-model.ts";
export { type Float16Copy, saveFloat16Copies } from "./saving/float16-copies.ts";
export { type SaveOptions, saveEncoder } from "./saving/save.ts";
export { withHead } from "./with-head.ts";
