import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Binding } from "./binding.ts";
import { compilerFor } from "./program.ts";
import { deviceCompilerFor, transferFor } from "./resident.ts";
import { usualThreads } from "./threads.ts";

const binding: Binding = {
  Tensor,
  defaults: usualThreads,
  createSession: (model, options) => InferenceSession.create(model, options),
};

/** Compiles graphs for onnxruntime-node. See `compilerFor`. */
export const compile = compilerFor(binding);

/** See `deviceCompilerFor`. */
export const compileOnDevice = deviceCompilerFor(binding);

/** See `transferFor`. */
export const createTransfer = transferFor(binding);
