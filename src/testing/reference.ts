/**
 * Float64 definitions of the operators that ONNX Runtime's CPU provider evaluates in float32 only: straight from the
 * ONNX specification, in loops, to have something to take central differences of.
 */

import type { Attributes } from "../graph/index.ts";
import { product, range } from "../graph/shapes.ts";

export interface Array64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

const map =
  (f: (x: number) => number) =>
  ([x]: readonly Array64[]): Float64Array =>
    x!.data.map(f);

/** erf x = 2/sqrt(pi) exp(-x^2) sum of 2^n x^(2n+1) / (1 3 5 ... (2n+1)): terms of one sign, so nothing cancels. */
export function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export const softplus = map((x) => Math.log1p(Math.exp(x)));
export const erfs = map(erf);
export const sin = map(Math.sin);
export const cos = map(Math.cos);
export const tan = map(Math.tan);
export const asin = map(Math.asin);
export const acos = map(Math.acos);
export const atan = map(Math.atan);
export const sinh = map(Math.sinh);
export const cosh = map(Math.cosh);
export const asinh = map(Math.asinh);
export const acosh = map(Math.acosh);
export const atanh = map(Math.atanh);
export const swish = (alpha: number) => map((x) => x / (1 + Math.exp(-alpha * x)));
export const gelu = map((x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)));
/** ONNX Runtime has this one in float64, but with sqrt(2/pi) rounded to float32. */
export const geluTanh = map((x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))));

/** Every index vector below the sizes, in row-major order. */
function* indexVectors(sizes: readonly number[]): Generator<readonly number[]> {
  for (const flat of range(product(sizes))) {
    let rest = flat;
    const index = sizes.map(() => 0);
    for (let i = sizes.length - 1; i >= 0; i--) {
      index[i] = rest % sizes[i]!;
      rest = Math.floor(rest / sizes[i]!);
    }
    yield index;
  }
}

const offset = (index: readonly number[], sizes: readonly number[]): number =>
  index.reduce((flat, position, i) => flat * sizes[i]! + position, 0);

/** y[n, o, p] = b[o] + sum over c, k of w[o, c, k] x[n, group(o) C/G + c, p stride + k dilation - pad]. */
export function conv([x, w, b]: readonly Array64[], a: Attributes, shape: readonly number[]): Float64Array {
  const [strides, dilations, pads] = [a.strides, a.dilations, a.pads] as readonly (readonly number[])[];
  const [, channels, ...size] = x!.shape;
  const [out, perGroup, ...kernel] = w!.shape;
  const groups = channels! / perGroup!;
  const y = new Float64Array(product(shape));
  let at = 0;
  for (const [n, o, ...p] of indexVectors(shape)) {
    let sum = b ? b.data[o!]! : 0;
    for (const [c, ...k] of indexVectors([perGroup!, ...kernel])) {
      const position = p.map((q, i) => q * strides![i]! + k[i]! * dilations![i]! - pads![i]!);
      if (position.some((q, i) => q < 0 || q >= size[i]!)) continue;
      const channel = Math.floor(o! / (out! / groups)) * perGroup! + c!;
      sum += w!.data[offset([o!, c!, ...k], w!.shape)]! * x!.data[offset([n!, channel, ...position], x!.shape)]!;
    }
    y[at++] = sum;
  }
  return y;
}

/** y[n, o, p stride + k dilation - pad] += w[c, o, k] x[n, c, p], channels c and o of one group; plus b[o]. */
export function convTranspose([x, w, b]: readonly Array64[], a: Attributes, shape: readonly number[]): Float64Array {
  const [strides, dilations, pads] = [a.strides, a.dilations, a.pads] as readonly (readonly number[])[];
  const [channels, perGroup, ...kernel] = w!.shape;
  const groups = shape[1]! / perGroup!;
  const inGroup = channels! / groups;
  const y = new Float64Array(product(shape));
  if (b) for (const [flat, index] of [...indexVectors(shape)].entries()) y[flat] = b.data[index[1]!]!;
  for (const [n, c, ...p] of indexVectors(x!.shape)) {
    for (const [o, ...k] of indexVectors([perGroup!, ...kernel])) {
      const position = p.map((q, i) => q * strides![i]! + k[i]! * dilations![i]! - pads![i]!);
      if (position.some((q, i) => q < 0 || q >= shape[i + 2]!)) continue;
      const to = [n!, Math.floor(c! / inGroup) * perGroup! + o!, ...position];
      y[offset(to, shape)]! += w!.data[offset([c!, o!, ...k], w!.shape)]! * x!.data[offset([n!, c!, ...p], x!.shape)]!;
    }
  }
  return y;
}

/** The mean over a window's elements within the image, or with `count_include_pad` within image and padding, which is 0. */
export function averagePool([x]: readonly Array64[], a: Attributes, shape: readonly number[]): Float64Array {
  const [kernel, strides, dilations, pads] = [
    a.kernel_shape,
    a.strides,
    a.dilations,
    a.pads,
  ] as readonly (readonly number[])[];
  const size = x!.shape.slice(2);
  return Float64Array.from([...indexVectors(shape)], ([n, c, ...p]) => {
    let [sum, count] = [0, 0];
    for (const k of indexVectors(kernel!)) {
      const position = p.map((q, i) => q * strides![i]! + k[i]! * dilations![i]! - pads![i]!);
      const isPadding = position.some((q, i) => q < 0 || q >= size[i]!);
      const isBeyond = position.some((q, i) => q < -pads![i]! || q >= size[i]! + pads![i + size.length]!);
      if (!isPadding) sum += x!.data[offset([n!, c!, ...position], x!.shape)]!;
      if (!isPadding || (a.count_include_pad && !isBeyond)) count++;
    }
    return sum / count;
  });
}
