export { AutodiffError } from "./errors.ts";
export { gradients } from "./gradients.ts";
