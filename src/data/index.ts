export { type BatchOptions, type ImageBatch, openBatches, type SkippedImage } from "./batches.ts";
export { DecodeError, decodeImage } from "./decode.ts";
export { filesFingerprint, type SourceFingerprint, sourceChange, sourceFingerprint } from "./fingerprint.ts";
export { type ImageFolderOptions, imageFolder } from "./folder.ts";
export { type OpenSourceOptions, openSource } from "./open.ts";
export { balancedSubset, type Choice, chooseImages, shuffled } from "./order.ts";
export { parquetDataset } from "./parquet.ts";
export { preprocess } from "./preprocess.ts";
export { nativeSize, readImage, writePlanes } from "./read.ts";
export { collecting, type Telling, tellFault, tellRemarks } from "./remarks.ts";
export { resize } from "./resize.ts";
export { Skips } from "./skips.ts";
export {
  describeLocation,
  type ImageClass,
  type ImageItem,
  type ImageLocation,
  type ImageSlice,
  type ImageSource,
  type ParquetRow,
  type RawImage,
  type Remark,
  type SyntheticSplit,
} from "./source.ts";
export { type SyntheticLabel, type SyntheticOptions, synthetic } from "./synthetic.ts";
export { webDataset } from "./webdataset.ts";
