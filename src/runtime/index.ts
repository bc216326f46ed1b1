export { ProgramLadder, type Programs } from "./batch-programs.ts";
export type { Device } from "./binding.ts";
export { fasterThanCpu, type Provider, providers, tryDevice } from "./devices.ts";
export { discard } from "./discard.ts";
export { RuntimeError } from "./errors.ts";
export { canHoldHeap, HeldHeap, takingTurns } from "./held-heap.ts";
export { largestExactInt8 } from "./int8.ts";
export { compile, compileOnDevice, createTransfer } from "./node.ts";
export { peakMemoryBytes } from "./peak-memory.ts";
export {
  type CompileOptions,
  fitsHeap,
  missingLibraries,
  modelOf,
  optimized,
  type Program,
  sessionOptions,
} from "./program.ts";
export { type DeviceFeeds, type DeviceProgram, type DeviceTensor, keepsTensors, type Transfer } from "./resident.ts";
export { usualThreads } from "./threads.ts";
export { keepYoungGenerationSmall } from "./young-generation.ts";
