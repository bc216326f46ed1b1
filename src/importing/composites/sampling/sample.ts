import type { Graph, Value } from "../../../graph/index.ts";
import { product, range } from "../../../graph/index.ts";

/** Interpolation between pixels, and padding outside the image. */
export interface Sampling {
  readonly mode: "linear" | "nearest" | "cubic";
  readonly padding: "zeros" | "border" | "reflection";
  /** Whether reflection is about the centres of the outermost pixels, or their outer edges. */
  readonly alignCorners: boolean;
}

/** One neighbour of the positions along an axis: its index, and its share. */
interface Tap {
  readonly index: Value;
  readonly weight: Value;
}

/**
 * An image [N, C, ...sizes] at positions between its pixels, for every axis [N, P] in pixels. Derivatives reach the image and
 * the positions.
 *
 * @returns [N, C, P]
 */
export function sampled(g: Graph, image: Value, positions: readonly Value[], sampling: Sampling): Value {
  const [n, channels, ...sizes] = image.shape as [number, number, ...number[]];
  const count = positions[0]!.shape[1]!;
  const flat = g.reshape(image, [n, channels, product(sizes)]);
  const taps = positions.map((position, axis) => tapsOf(g, position, sizes[axis]!, sampling));
  const corners = taps.reduce<readonly (readonly Tap[])[]>(
    (made, next) => made.flatMap((corner) => next.map((tap) => [...corner, tap])),
    [[]],
  );
  const parts = corners.map((corner) => {
    const at = corner.map(({ index }) => index).reduce((sum, index, axis) => g.add(g.mul(sum, sizes[axis]!), index));
    const share = corner.map(({ weight }) => weight).reduce((a, b) => g.mul(a, b));
    const where = g.expand(g.reshape(g.cast(at, "int64"), [n, 1, count]), [n, channels, count]);
    const [values] = g.apply("GatherElements", [flat, where], { axis: 2 });
    return g.mul(values!, g.reshape(share, [n, 1, count]));
  });
  return parts.reduce(g.add);
}

function tapsOf(g: Graph, position: Value, size: number, sampling: Sampling): readonly Tap[] {
  if (sampling.mode === "nearest") {
    const whole = g.expand(g.scalar(1, position.dtype), position.shape);
    return [padded(g, g.apply("Round", [position])[0]!, whole, size, sampling)];
  }
  const first = g.floor(position);
  const rest = g.sub(position, first);
  const weights =
    sampling.mode === "linear"
      ? [g.sub(1, rest), rest]
      : [g.add(rest, 1), rest, g.sub(1, rest), g.sub(2, rest)].map((distance, i) =>
          cubic(g, distance, i === 1 || i === 2),
        );
  const before = sampling.mode === "linear" ? 0 : 1;
  return weights.map((weight, i) => padded(g, g.add(first, i - before), weight, size, sampling));
}

/** The piecewise cubic of Keys, A = -0.75: near where the distance is below 1. */
function cubic(g: Graph, d: Value, isNear: boolean): Value {
  const a = -0.75;
  const powers = (factors: readonly number[]): Value =>
    factors.slice(1).reduce((sum, factor) => g.add(g.mul(sum, d), factor), g.scalar(factors[0]!, d.dtype));
  return isNear ? powers([a + 2, -(a + 3), 0, 1]) : powers([a, -5 * a, 8 * a, -4 * a]);
}

/** A neighbour as one that lies in the image, and its share, which is 0 where zeros lie beyond. */
function padded(g: Graph, index: Value, weight: Value, size: number, { padding, alignCorners }: Sampling): Tap {
  if (padding === "reflection") return { index: reflected(g, index, size, alignCorners), weight };
  const inside = g.clip(index, 0, size - 1);
  if (padding === "border") return { index: inside, weight };
  const isInside = g.cast(g.equal(inside, index), weight.dtype);
  return { index: inside, weight: g.mul(weight, isInside) };
}

function reflected(g: Graph, index: Value, size: number, alignCorners: boolean): Value {
  const period = Math.max(alignCorners ? 2 * (size - 1) : 2 * size, 1);
  const within = g.sub(index, g.mul(g.floor(g.div(index, period)), period));
  const back = g.sub(alignCorners ? period : period - 1, within);
  return g.clip(g.min(within, back), 0, size - 1);
}

/** Numbers along one axis of so many, the same for all others: [1, ..., size, ..., 1]. */
export function alongAxis(g: Graph, values: readonly number[], axis: number, rank: number): Value {
  const shape = range(rank).map((i) => (i === axis ? values.length : 1));
  return g.constant({ dtype: "float32", shape, data: Float32Array.from(values) });
}
