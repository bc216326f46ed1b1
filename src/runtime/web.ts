import { InferenceSession, Tensor } from "onnxruntime-web";
import { compilerFor } from "./program.ts";

/** Compiles graphs for onnxruntime-web: WebAssembly as device "cpu", and WebGPU. See `compilerFor`. */
export const compile = compilerFor({
  Tensor,
  defaults: () => ({}),
  createSession: (model, options) =>
    InferenceSession.create(model, {
      ...options,
      executionProviders: (options.executionProviders ?? []).map((provider) =>
        provider === "cpu" ? "wasm" : provider,
      ),
    }),
});
