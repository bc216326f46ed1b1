import { InferenceSession, Tensor } from "onnxruntime-node";
import type { TypedArray } from "../tensor/index.ts";
import type { Binding, Tensors } from "./binding.ts";
import { discard } from "./discard.ts";
import { compilerFor } from "./program.ts";
import { deviceCompilerFor, transferFor } from "./resident.ts";
import { usualThreads } from "./threads.ts";

const binding: Binding = {
  Tensor,
  defaults: usualThreads,
  createSession: (model, options) => InferenceSession.create(model, options),
  runInto: async (session, feeds, results) => discard(copiesIn(await session.run(feeds, results), results)),
};

/** Smaller arrays are left to the garbage collector. */
const minDiscardedBytes = 2 ** 16;

/** Arrays that onnxruntime-node allocated for results, besides those that it was given to write into. */
function copiesIn(returned: Tensors, results: Tensors): readonly TypedArray[] {
  const told = new Set(arraysOf(results).map(({ buffer }) => buffer));
  return arraysOf(returned).filter(({ buffer, byteLength }) => byteLength >= minDiscardedBytes && !told.has(buffer));
}

function arraysOf(tensors: Tensors): readonly TypedArray[] {
  return Object.values(tensors).map(({ data }) => data as TypedArray);
}

/** Compiles graphs for onnxruntime-node. See `compilerFor`. */
export const compile = compilerFor(binding);

/** See `deviceCompilerFor`. */
export const compileOnDevice = deviceCompilerFor(binding);

/** See `transferFor`. */
export const createTransfer = transferFor(binding);
