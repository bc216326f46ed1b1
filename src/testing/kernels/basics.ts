import { f32, i64, int, type KernelCase, not, use } from "./case.ts";

const image = "2 4 5 6";
const statistics = [f32([0.1, -0.2, 0.3, 0]), f32([1, 0.5, 2, 3])];

const activations: readonly KernelCase[] = [
  use("LeakyRelu", ["3 4"], { alpha: 0.2 }, { not: not(0) }),
  use("PRelu", ["3 4 2", "4 1"], {}, { not: not(0) }),
  use("Elu", ["3 4"], { alpha: 1.5 }, { not: not(0) }),
  use("Celu", ["3 4"], { alpha: 0.7 }, { not: not(0) }),
  use("Selu", ["3 4"], {}, { not: not(0) }),
  use("HardSigmoid", ["3 4"], { alpha: 0.3 }, { not: not(-5 / 3, 5 / 3) }),
  use("HardSwish", ["3 4"], {}, { not: not(-3, 3) }),
  use("Mish", ["3 4"]),
  use("Softsign", ["3 4"], {}, { not: not(0) }),
  use("ThresholdedRelu", ["3 4"], { alpha: 0.5 }, { not: not(0.5) }),
];

const normalizations: readonly KernelCase[] = [
  use("BatchNormalization", [image, "4", "4", ...statistics], { epsilon: 1e-3 }),
  use("BatchNormalization", [image, "4", "4", ...statistics], {}, { opset: 13, outputs: [0, 1, 2], made: 5 }),
  use("BatchNormalization", [image, "4", "4", ...statistics], { training_mode: 1 }, { opset: 15, outputs: [0, 1, 2] }),
  use("BatchNormalization", [image, "4", "4", ...statistics], { spatial: 1, epsilon: 1e-3 }, { opset: 7 }),
  use("InstanceNormalization", [image, "4", "4"]),
  use("GroupNormalization", [image, "4", "4"], { num_groups: 2 }, { opset: 21 }),
  use("GroupNormalization", [image, "2", "2"], { num_groups: 2 }, { opset: 18 }),
  use("LpNormalization", ["3 4"], { axis: 1, p: 2 }),
  use("LpNormalization", ["3 4"], { axis: 0, p: 1 }, { not: not(0) }),
  use("SimplifiedLayerNormalization", ["3 4", "4"], { epsilon: 1e-5 }),
  use("Softmax", ["2 3 4"], { axis: 1 }, { opset: 11 }),
  use("LogSoftmax", ["2 3 4"], { axis: 2 }, { opset: 12 }),
];

const reductions: readonly KernelCase[] = [
  use("ReduceL1", ["3 4", i64([1])], {}, { not: not(0) }),
  use("ReduceSumSquare", ["3 4"], { keepdims: 0 }),
  use("ReduceLogSum", ["3 4", i64([0])], {}, { low: 0.5 }),
  use("ReduceLogSumExp", ["3 4 2"], { axes: [0, 2], keepdims: 0 }, { opset: 13 }),
  use("ReduceProd", ["3 5", i64([1])], { keepdims: 0 }),
  use("GlobalAveragePool", [image]),
  use("GlobalMaxPool", [image]),
  use("Sum", ["3 4", "4", "3 1"]),
  use("Mean", ["3 4", "4", "3 1"]),
];

const arrangements: readonly KernelCase[] = [
  use("Gather", ["3 4 2", i64(-1)], { axis: 1 }),
  use("Gather", ["3 4 2", i64([2])]),
  use("Gather", ["3 4 2", i64([0, 3, 3])], { axis: -2 }),
  use("Split", ["3 1"], {}, { opset: 13 }),
  use("Slice", [image], { starts: [1, -3], ends: [3, 100], axes: [1, 3] }, { opset: 9 }),
  use("Pad", [image], { pads: [0, 0, 1, 2, 0, 0, 0, 1] }, { opset: 10 }),
  use("CastLike", ["3 4", f32([1])]),
  use("Dropout", [image], { seed: int(3) }, { outputs: [0, 1] }),
  use("Tile", ["2 3", i64([3, 2])]),
  use("DepthToSpace", ["1 8 2 3"], { blocksize: 2 }),
  use("DepthToSpace", ["1 8 2 3"], { blocksize: 2, mode: "CRD" }),
  use("SpaceToDepth", ["1 2 4 6"], { blocksize: 2 }),
  use("Trilu", ["2 4 3", i64(1)]),
  use("Trilu", ["4 5", i64(-1)], { upper: 0 }),
];

const sums: readonly KernelCase[] = (
  [
    ["bij,bjk->bik", "2 3 4", "2 4 5"],
    ["b h c d, b w c d -> c b h w", "2 3 4 2", "2 5 4 2"],
    ["...i,ij->...j", "2 3 4", "4 5"],
    ["ij,kj", "3 4", "5 4"],
    ["ij,jk,kl->il", "3 4", "4 5", "5 2"],
    ["ij->j", "3 4"],
    ["...ii->...i", "2 3 3"],
    ["ii,ij->j", "3 3", "3 2"],
  ] as const
).map(([equation, ...operands]) => use("Einsum", operands, { equation }));

export const basics: readonly KernelCase[] = [
  ...activations,
  ...normalizations,
  ...reductions,
  ...arrangements,
  ...sums,
];
