import { UsageError } from "../../errors.ts";
import type { Tensor } from "../../tensor/index.ts";
import { floatOfRank } from "./fields.ts";

/*
 * By how much CLIP multiplies cosines: a scalar, of which transformers and open_clip alike store the logarithm.
 */

/**
 * One number, of shape [] or, as some files have it, [1].
 *
 * @throws UsageError when the file lacks it, it is of another type or several numbers, or no finite one
 */
export function readLogitScale(tensors: ReadonlyMap<string, Tensor>): number {
  const { shape, data } = floatOfRank(tensors, "logit_scale");
  const scale = Math.exp(data[0] ?? Number.NaN);
  if (data.length === 1 && Number.isFinite(scale)) return scale;
  throw new UsageError(
    `The tensor logit_scale holds ${data.length === 1 ? data[0] : `[${shape.join(", ")}] numbers`}; one finite number is needed.`,
  );
}

export function writeLogitScale(scale: number): readonly [name: string, tensor: Tensor] {
  return ["logit_scale", { dtype: "float32", shape: [], data: Float32Array.of(Math.log(scale)) }];
}
