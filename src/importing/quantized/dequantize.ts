import { fromHalf } from "../../onnx/half.ts";
import { OnnxError } from "../../onnx/index.ts";
import { elementCount, type Tensor } from "../../onnx/tensor.ts";
import { roundToEven } from "../evaluators.ts";

/** How integers stand for numbers: (integer - zero point) * scale, by tensor or by slices along an axis. */
export interface Quantization {
  readonly scale: Tensor;
  readonly zeroPoint?: Tensor | undefined;
  /** Which axis the scales are along, where there are several. */
  readonly axis: number;
}

/** float32 values of a quantised tensor. */
export function dequantized(tensor: Tensor, quantization: Quantization): Tensor<"float32"> {
  return mapped(tensor, quantization, (value, scale, zero) => (value - zero) * scale);
}

/** float32 values as they are after they were quantised: rounded, and saturated where the integers end. */
export function requantized(
  tensor: Tensor,
  quantization: Quantization,
  [low, high]: readonly [low: number, high: number],
): Tensor<"float32"> {
  return mapped(tensor, quantization, (value, scale, zero) => {
    const integer = roundToEven(Math.fround(value / scale)) + zero;
    return (Math.min(Math.max(integer, low), high) - zero) * scale;
  });
}

function mapped(
  tensor: Tensor,
  { scale, zeroPoint, axis }: Quantization,
  f: (value: number, scale: number, zero: number) => number,
): Tensor<"float32"> {
  const { shape } = tensor;
  const [scales, zeros] = [numbersIn(scale), zeroPoint ? numbersIn(zeroPoint) : [0]];
  const along = axis < 0 ? axis + shape.length : axis;
  const count = Math.max(scales.length, zeros.length);
  if (count > 1 && count !== shape[along])
    throw new OnnxError(
      `${count} scales do not fit axis ${axis} of [${shape}]; quantisation by blocks is not supported`,
    );
  const inner = elementCount(shape.slice(along + 1));
  const data = Float32Array.from(numbersIn(tensor), (value, i) => {
    const slice = Math.floor(i / inner) % (shape[along] ?? 1);
    return f(value, scales[scales.length > 1 ? slice : 0]!, zeros[zeros.length > 1 ? slice : 0]!);
  });
  return { dtype: "float32", shape, data };
}

/** The elements of a tensor as numbers. */
export function numbersIn({ dtype, data }: Tensor): readonly number[] {
  return Array.from(data as ArrayLike<number | bigint>, (value) =>
    dtype === "float16" ? fromHalf(Number(value)) : Number(value),
  );
}
