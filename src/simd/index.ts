export { type Arithmetic, type Lanes, type Loop, type LoopResults, simdLoop } from "./loop.ts";
