export { AutodiffError } from "./errors.ts";
export { gradients } from "./gradients.ts";
export { recomputed } from "./recompute/segmentwise.ts";
export { selectivelyRecomputed } from "./recompute/selective.ts";
