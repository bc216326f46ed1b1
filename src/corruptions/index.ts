export { type CorruptOptions, corrupt, withNoise } from "./corrupt.ts";
export { frostFiles, openFrost } from "./frost.ts";
export {
  allCorruptions,
  type Corruption,
  commonCorruptions,
  extraCorruptions,
  isCorruption,
  isSeverity,
  type Severity,
  severities,
} from "./names.ts";
export { parametersFor } from "./parameters.ts";
export type { FrostTexture } from "./subject.ts";
