export { type Arithmetic, type Lanes, type Loop, type LoopResults, simdLoop } from "./loop.ts";
export { LoopMemory } from "./memory.ts";
