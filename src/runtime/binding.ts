import type { InferenceSession, Tensor } from "onnxruntime-common";

/** Where programs run. `cpu` is always there; the others need the hardware and its driver. */
export type Device = "cpu" | "webgpu" | "cuda";

/**
 * One build of ONNX Runtime (onnxruntime-node or onnxruntime-web). Everything else in this room is the same for all
 * of them, since they share the API of onnxruntime-common.
 */
export interface Binding {
  readonly Tensor: typeof Tensor;
  readonly createSession: (model: Uint8Array, options: InferenceSession.SessionOptions) => Promise<InferenceSession>;
}
