import type { Tensor } from "../../onnx/tensor.ts";
import { float32 } from "./fields.ts";

/*
 * By how much CLIP multiplies cosines: a scalar, of which transformers and open_clip alike store the logarithm.
 */

/** @throws UsageError when the file lacks it, or it is of another type or shape */
export function readLogitScale(tensors: ReadonlyMap<string, Tensor>): number {
  return Math.exp(float32(tensors, "logit_scale", []).data[0]!);
}

export function writeLogitScale(scale: number): readonly [name: string, tensor: Tensor] {
  return ["logit_scale", { dtype: "float32", shape: [], data: Float32Array.of(Math.log(scale)) }];
}
