import type { InferenceSession, Tensor } from "onnxruntime-common";
import type { CompileOptions } from "./program.ts";

export type { Device } from "../optimize/index.ts";

export type Tensors = Readonly<Record<string, Tensor>>;

/**
 * One build of ONNX Runtime (onnxruntime-node or onnxruntime-web). Everything else in this room is the same for all
 * of them, since they share the API of onnxruntime-common.
 */
export interface Binding {
  readonly Tensor: typeof Tensor;
  /** Values of options that are left out. */
  readonly defaults: () => Pick<CompileOptions, "threads">;
  readonly createSession: (model: Uint8Array, options: InferenceSession.SessionOptions) => Promise<InferenceSession>;
  /** One run whose results are in `results` afterwards, a tensor in host memory for every output. */
  readonly runInto: (session: InferenceSession, feeds: Tensors, results: Tensors) => Promise<void>;
}
