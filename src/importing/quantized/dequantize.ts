import { fromHalf } from "../../onnx/half.ts";
import { OnnxError } from "../../onnx/index.ts";
import { elementCount, type Tensor } from "../../onnx/tensor.ts";

/** How integers stand for numbers: (integer - zero point) * scale, by tensor or by slices along an axis. */
export interface Quantization {
  readonly scale: Tensor;
  readonly zeroPoint?: Tensor | undefined;
  /** Which axis the scales are along, where there are several. */
  readonly axis: number;
}

/** float32 values of a quantised tensor. */
export function dequantized(tensor: Tensor, { scale, zeroPoint, axis }: Quantization): Tensor<"float32"> {
  const { shape } = tensor;
  const [scales, zeros] = [values(scale), zeroPoint ? values(zeroPoint) : [0]];
  const along = axis < 0 ? axis + shape.length : axis;
  if (scales.length > 1 && scales.length !== shape[along])
    throw new OnnxError(
      `${scales.length} scales do not fit axis ${axis} of [${shape}]; quantisation by blocks is not supported`,
    );
  const inner = elementCount(shape.slice(along + 1));
  const data = Float32Array.from(values(tensor), (value, i) => {
    const slice = Math.floor(i / inner) % (shape[along] ?? 1);
    return (value - zeros[zeros.length > 1 ? slice : 0]!) * scales[scales.length > 1 ? slice : 0]!;
  });
  return { dtype: "float32", shape, data };
}

function values({ dtype, data }: Tensor): readonly number[] {
  return Array.from(data as ArrayLike<number | bigint>, (value) =>
    dtype === "float16" ? fromHalf(Number(value)) : Number(value),
  );
}
