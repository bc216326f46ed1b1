import { OnnxError } from "../../onnx/index.ts";
import { elementCount, fromHalf, type Tensor } from "../../tensor/index.ts";
import { roundToEven } from "../evaluators.ts";

/** Parameters of quantisation: number = (integer - zero point) * scale, per tensor or per slice along an axis. */
export interface Quantization {
  readonly scale: Tensor;
  readonly zeroPoint?: Tensor | undefined;
  /** The axis of the scales, where there are several. */
  readonly axis: number;
  /** Number of elements along the axis that share a scale. Scales and zero points then have as many axes as the tensor. */
  readonly block?: number;
}

/** float32 values of a quantised tensor. */
export function dequantized(tensor: Tensor, quantization: Quantization): Tensor<"float32"> {
  return mapped(tensor, quantization, (value, scale, zero) => (value - zero) * scale);
}

/** float32 values after quantisation: rounded, and saturated at the ends of the integer range. */
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
  quantization: Quantization,
  f: (value: number, scale: number, zero: number) => number,
): Tensor<"float32"> {
  const { scale, zeroPoint } = quantization;
  const [scales, zeros] = [numbersIn(scale), zeroPoint ? numbersIn(zeroPoint) : [0]];
  const sliceOf = slices(tensor.shape, Math.max(scales.length, zeros.length), quantization);
  const data = Float32Array.from(numbersIn(tensor), (value, i) => {
    const slice = sliceOf(i);
    return f(value, scales[scales.length > 1 ? slice : 0]!, zeros[zeros.length > 1 ? slice : 0]!);
  });
  return { dtype: "float32", shape: tensor.shape, data };
}

/** Index of the scale of each element of a tensor of this shape. */
function slices(
  shape: readonly number[],
  count: number,
  { scale, axis, block }: Quantization,
): (element: number) => number {
  const along = axis < 0 ? axis + shape.length : axis;
  const inner = elementCount(shape.slice(along + 1));
  const length = shape[along] ?? 1;
  if (!block) {
    if (count > 1 && count !== length) throw new OnnxError(`${count} scales do not fit axis ${axis} of [${shape}]`);
    return (i) => Math.floor(i / inner) % length;
  }
  const blocks = Math.ceil(length / block);
  if (`${scale.shape}` !== `${shape.with(along, blocks)}`)
    throw new OnnxError(`scales of shape [${scale.shape}] are not one for ${block} along axis ${axis} of [${shape}]`);
  return (i) => {
    const [before, at, behind] = [Math.floor(i / inner / length), Math.floor(i / inner) % length, i % inner];
    return (before * blocks + Math.floor(at / block)) * inner + behind;
  };
}

/** The elements of a tensor as numbers. */
export function numbersIn({ dtype, data }: Tensor): readonly number[] {
  return Array.from(data as ArrayLike<number | bigint>, (value) =>
    dtype === "float16" ? fromHalf(Number(value)) : Number(value),
  );
}
