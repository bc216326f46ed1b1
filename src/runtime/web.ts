import { InferenceSession, Tensor } from "onnxruntime-web";
import type { TypedArray } from "../tensor/index.ts";
import { bytesOf } from "../tensor/index.ts";
import type { Binding } from "./binding.ts";
import { compilerFor } from "./program.ts";

const binding: Binding = {
  Tensor,
  defaults: () => ({}),
  createSession: (model, options) =>
    InferenceSession.create(model, {
      ...options,
      executionProviders: (options.executionProviders ?? []).map((provider) =>
        provider === "cpu" ? "wasm" : provider,
      ),
    }),
  // Not told where to: it then returns such tensors as they were.
  runInto: async (session, feeds, results) => {
    const returned = await session.run(feeds);
    for (const [name, { data }] of Object.entries(results))
      bytesOf(data as TypedArray).set(bytesOf(returned[name]!.data as TypedArray));
  },
};

/** Compiles graphs for onnxruntime-web: WebAssembly as device "cpu", and WebGPU. See `compilerFor`. */
export const compile = compilerFor(binding);
