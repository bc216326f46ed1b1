export { atNativeResolution } from "./architectures/resized.ts";
export { randomVitParameters, type VitArchitecture, VitEncoder } from "./architectures/vit.ts";
export {
  type Classifier,
  type CosineClassifier,
  classify,
  type LinearClassifier,
  normalizeRows,
  pickRows,
} from "./classifier.ts";
export { encoderDigest } from "./digest.ts";
export {
  cloneParameters,
  type Encoder,
  feedsOf,
  frozenWeights,
  type Parameters,
  trainableEmbedding,
  trainableWeights,
} from "./encoder.ts";
export { checkFinite, checkNonZero, checkWeights } from "./finite.ts";
export { encoderFolder, type LoadOptions, loadEncoder } from "./load.ts";
export { normalizations } from "./normalizations.ts";
export { describePreprocessing } from "./preprocessing/describe.ts";
export type { TrainingFacts, WeightFormat } from "./saving/card.ts";
export { recordEvaluation } from "./saving/card-file.ts";
export { type Float16Copy, saveFloat16Copies } from "./saving/float16-copies.ts";
export { narrowWeights } from "./saving/narrow-weights.ts";
export { type SaveOptions, saveEncoder } from "./saving/save.ts";
export type { EmbedTextOptions, TextTower } from "./text/text-tower.ts";
export { withHead } from "./with-head.ts";
