import type { Graph, Value } from "../../graph/index.ts";
import { axisIn, product, range } from "../../graph/index.ts";
import { constantShape } from "../limits.ts";
import { type Composites, number, overChannels, type Use } from "./use.ts";

/** Normalisations, and softmax as opsets before 13 meant it. */
export const normalizations: Composites = {
  // With the statistics that training left, which are constants; or, in training mode, with those of the batch.
  BatchNormalization: ({ g, x: [x, scale, bias, mean, variance], a }) => {
    const apply = (m: Value, v: Value): Value => {
      const factor = g.div(scale!, g.sqrt(g.add(v, number(a, "epsilon", 1e-5))));
      const shift = g.sub(bias!, g.mul(m, factor));
      return g.add(g.mul(x!, overChannels(factor, x!.rank)), overChannels(shift, x!.rank));
    };
    if (!a.training_mode) return [apply(mean!, variance!)];
    const over = range(x!.rank).filter((axis) => axis !== 1);
    const ofBatch = g.reduceMean(x!, { axes: over });
    const centred = g.sub(x!, overChannels(ofBatch, x!.rank));
    const spread = g.reduceMean(g.mul(centred, centred), { axes: over });
    const momentum = number(a, "momentum", 0.9);
    const running = (old: Value, batch: Value): Value => g.add(g.mul(old, momentum), g.mul(batch, 1 - momentum));
    return [apply(ofBatch, spread), running(mean!, ofBatch), running(variance!, spread)];
  },
  // Statistics are separate values, so that they have derivatives. They vanish where nothing reads them.
  LayerNormalization: ({ g, x: [x, scale, bias], a }) => {
    const axis = axisIn(number(a, "axis", -1), x!.rank);
    const epsilon = number(a, "epsilon", 1e-5);
    const over = { axes: range(x!.rank).slice(axis), keepDims: true };
    const mean = g.reduceMean(x!, over);
    const centred = g.sub(x!, mean);
    const variance = g.reduceMean(g.mul(centred, centred), over);
    return [
      g.layerNormalization(x!, scale!, bias, { axis, epsilon }),
      mean,
      g.reciprocal(g.sqrt(g.add(variance, epsilon))),
    ];
  },
  InstanceNormalization: ({ g, x: [x, scale, bias], a }) => {
    const normalized = standardized(g, x!, range(x!.rank).slice(2), number(a, "epsilon", 1e-5));
    return [g.add(g.mul(normalized, overChannels(scale!, x!.rank)), overChannels(bias!, x!.rank))];
  },
  GroupNormalization: (use) => {
    const [, scale, bias] = use.x;
    const normalized = byGroup(use);
    return [
      use.g.add(use.g.mul(normalized, overChannels(scale!, normalized.rank)), overChannels(bias!, normalized.rank)),
    ];
  },
  // Before opset 21, scale and bias are one number a group.
  GroupwiseGroupNormalization: (use) => {
    const { g, x, a } = use;
    const perGroup = x[0]!.shape[1]! / number(a, "num_groups", 1);
    const channels = (value: Value): Value =>
      overChannels(g.reshape(g.expand(g.unsqueeze(value, [1]), [value.shape[0]!, perGroup]), [-1]), x[0]!.rank);
    return [g.add(g.mul(byGroup(use), channels(x[1]!)), channels(x[2]!))];
  },
  // A vector of zeros stays one, and passes zeros back.
  LpNormalization: ({ g, x: [x], a }) => {
    const over = { axes: [number(a, "axis", -1)], keepDims: true };
    const norm = number(a, "p", 2) === 1 ? g.reduceSum(g.abs(x!), over) : g.reduceL2(x!, over);
    const isZero = g.equal(norm, 0);
    return [g.where(isZero, 0, g.div(x!, g.where(isZero, 1, norm)))];
  },
  SimplifiedLayerNormalization: ({ g, x: [x, scale], a }) => [
    g.mul(rootMeanSquareNormalized(g, x!, number(a, "axis", -1), number(a, "epsilon", 1e-5)), scale!),
  ],
  RMSNormalization: ({ g, x: [x, scale], a }) => [
    g.mul(rootMeanSquareNormalized(g, x!, axisIn(number(a, "axis", -1), x!.rank), number(a, "epsilon", 1e-5)), scale!),
  ],
  // Over `size` neighbouring channels. If `size` is even, the window has one more channel after than before.
  LRN: ({ g, x: [x], a }) => {
    const [size, channels] = [number(a, "size", 1), x!.shape[1]!];
    const before = Math.floor((size - 1) / 2);
    const near = range(product(constantShape(g, [channels, channels]))).map((at) => {
      const distance = (at % channels) - Math.floor(at / channels);
      return Number(distance >= -before && distance <= size - 1 - before);
    });
    const band = g.constant({ dtype: "float32", shape: [channels, channels], data: Float32Array.from(near) });
    const squares = g.reshape(g.mul(x!, x!), [x!.shape[0]!, channels, -1]);
    const sums = g.reshape(g.matMul(g.cast(band, x!.dtype), squares), x!.shape);
    const base = g.add(g.mul(sums, number(a, "alpha", 1e-4) / size), number(a, "bias", 1));
    return [g.div(x!, g.pow(base, number(a, "beta", 0.75)))];
  },
  MeanVarianceNormalization: ({ g, x: [x], a }) => {
    const over = { axes: (a.axes as readonly number[] | undefined) ?? [0, 2, 3], keepDims: true };
    const centred = g.sub(x!, g.reduceMean(x!, over));
    const variance = g.reduceMean(g.mul(centred, centred), over);
    return [g.div(centred, g.add(g.sqrt(variance), 1e-9))];
  },
  FlatSoftmax: (use) => overFlattened(use, (rows) => use.g.softmax(rows)),
  FlatLogSoftmax: (use) => overFlattened(use, (rows) => use.g.logSoftmax(rows)),
};

/** (x - mean) / sqrt(variance + epsilon) over these axes. */
function standardized(g: Graph, x: Value, axes: readonly number[], epsilon: number): Value {
  const centred = g.sub(x, g.reduceMean(x, { axes, keepDims: true }));
  const variance = g.reduceMean(g.mul(centred, centred), { axes, keepDims: true });
  return g.div(centred, g.sqrt(g.add(variance, epsilon)));
}

function byGroup({ g, x: [x], a }: Use): Value {
  const rows = g.reshape(x!, [x!.shape[0]!, number(a, "num_groups", 1), -1]);
  return g.reshape(standardized(g, rows, [2], number(a, "epsilon", 1e-5)), x!.shape);
}

/** x / sqrt(mean square + epsilon) from an axis on. */
export function rootMeanSquareNormalized(g: Graph, x: Value, axis: number, epsilon: number): Value {
  const axes = range(x.rank).slice(axis);
  return g.div(x, g.sqrt(g.add(g.reduceMean(g.mul(x, x), { axes, keepDims: true }), epsilon)));
}

/** Merges all axes from `axis` on. */
function overFlattened({ g, x: [x], a }: Use, f: (rows: Value) => Value): readonly Value[] {
  const axis = number(a, "axis", 1);
  const isLast = axis === x!.rank - 1 || axis === -1;
  return [isLast ? f(x!) : g.reshape(f(g.flatten(x!, axis)), x!.shape)];
}
