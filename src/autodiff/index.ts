export { recomputed } from "../optimize/recompute/segmentwise.ts";
export { selectivelyRecomputed } from "../optimize/recompute/selective.ts";
export { AutodiffError } from "./errors.ts";
export { gradients } from "./gradients.ts";
