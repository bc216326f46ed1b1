export { describeNormalization, describePreprocessing } from "./describe.ts";
export { openClipPreprocessing } from "./open-clip.ts";
export { contradiction, type Dialect, statedIn } from "./read.ts";
export { checkSize } from "./size.ts";
export type { Stated } from "./stated.ts";
export { timmPreprocessing } from "./timm.ts";
export { preprocessorConfig, withPreprocessing } from "./write.ts";
