export { AutodiffError } from "./errors.ts";
export { gradients } from "./gradients.ts";
export { recomputed } from "./recompute.ts";
