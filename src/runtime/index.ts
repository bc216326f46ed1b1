export type { Device } from "./binding.ts";
export { discard } from "./discard.ts";
export { RuntimeError } from "./errors.ts";
export { canHoldHeap, HeldHeap, takingTurns } from "./held-heap.ts";
export { largestExactInt8 } from "./int8.ts";
export { compile, compileOnDevice, createTransfer } from "./node.ts";
export { type CompileOptions, fitsHeap, missingLibraries, optimized, type Program } from "./program.ts";
export { type DeviceFeeds, type DeviceProgram, type DeviceTensor, keepsTensors, type Transfer } from "./resident.ts";
