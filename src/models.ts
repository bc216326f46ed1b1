/**
 * Encoders: loading, saving, heads, zero-shot classifiers, and detailed training objectives.
 *
 * @module models
 */
export { HeldOutImages } from "./blending/index.ts";
export {
  type EmbedSourceOptions,
  embedSource,
  openTemplates,
  type SourceEmbeddings,
  type ZeroShotOptions,
  zeroShotClassifier,
} from "./inference/index.ts";
export {
  type Classifier,
  type Encoder,
  type Float16Copy,
  type LoadOptions,
  loadEncoder,
  type Parameters,
  type SaveOptions,
  saveEncoder,
  saveFloat16Copies,
  type TextTower,
  type VitArchitecture,
  VitEncoder,
  withHead,
} from "./models/index.ts";
export {
  type ClassMargin,
  type Constraint,
  type Distance,
  type Dual,
  distanceOf,
  type Margin,
} from "./objectives/index.ts";
