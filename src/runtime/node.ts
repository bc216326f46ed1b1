import { InferenceSession, Tensor } from "onnxruntime-node";
import { compilerFor } from "./program.ts";

/** Compiles graphs for onnxruntime-node. See `compilerFor`. */
export const compile = compilerFor({
  Tensor,
  createSession: (model, options) => InferenceSession.create(model, options),
});
