/**
 * Images: sources of them, how they are framed and read, and their common corruptions.
 *
 * @module data
 */
export {
  allCorruptions,
  type Corruption,
  type CorruptOptions,
  commonCorruptions,
  corrupt,
  extraCorruptions,
  type FrostTexture,
  openFrost,
  type Severity,
  withNoise,
} from "./corruptions/index.ts";
export {
  type BatchOptions,
  type ImageBatch,
  type ImageClass,
  type ImageFolderOptions,
  type ImageItem,
  type ImageSource,
  imageFolder,
  type OpenSourceOptions,
  openBatches,
  openSource,
  parquetDataset,
  type RawImage,
  type Remark,
  type SkippedImage,
  type SyntheticOptions,
  synthetic,
  webDataset,
} from "./data/index.ts";
export { type Framing, framingAt, usualFraming } from "./framing.ts";
