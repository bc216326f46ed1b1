export type { Device } from "./binding.ts";
export { RuntimeError } from "./errors.ts";
export { compile } from "./node.ts";
export type { CompileOptions, Program } from "./program.ts";
