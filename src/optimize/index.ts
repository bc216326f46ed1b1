export { type Int8Products, largestInt8 } from "./int8-products.ts";
export { largestBytes, peakBytes } from "./liveness.ts";
export { fileOrder } from "./order.ts";
export {
  attackInInt8,
  optimizedAttack,
  optimizedFile,
  optimizedModel,
  optimizedProgram,
  optimizedTraining,
  type ProgramPass,
  type StepTarget,
} from "./pipeline.ts";
export { byteSize } from "./storage.ts";
export type { Device, Target } from "./target.ts";
