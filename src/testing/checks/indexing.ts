import { product, range } from "../../graph/shapes.ts";
import type { Attributes } from "../../onnx/model.ts";
import type { CaseInput, Draw } from "../draw.ts";
import { type GradientCase, numbers } from "../gradcheck.ts";
import { apply, type Checks, onShape } from "./check.ts";

/** Some axes in any order; positions from either end, also beyond the ends; steps both ways. */
const slice = (draw: Draw, shape: readonly number[]): Attributes => {
  const axes = draw.shuffled(draw.some(range(shape.length)));
  const stepping = draw.bool();
  const position = (axis: number): number => draw.int(-shape[axis]! - 2, shape[axis]! + 2);
  return {
    axes: axes.map((axis) => (draw.bool() ? axis - shape.length : axis)),
    starts: axes.map(position),
    ends: axes.map((axis) => (draw.int(0, 4) === 0 ? draw.pick([-(2 ** 31), 2 ** 31]) : position(axis))),
    ...(stepping && { steps: axes.map(() => draw.pick([1, 2, 3, -1, -2, -3])) }),
  };
};

/** Indices with repetitions and from either end, known when the graph is built or only when it runs. */
const gather = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1, maxRank: 3, maxElements: 24 });
  const axis = draw.axis(shape.length);
  const indices = draw.indices(draw.shape({ maxRank: 2, maxSize: 3 }), shape.at(axis)!);
  const x = draw.real(shape);
  if (draw.bool()) return apply("Gather", [x, indices], { axis });
  const data = numbers("int64", indices.data) as BigInt64Array;
  return {
    inputs: [x],
    build: (g, [x]) => g.gather(x!, g.constant({ dtype: "int64", shape: indices.shape, data }), axis),
  };
};

/** Indices into an axis, of a shape that is no larger elsewhere. */
function elementIndices(draw: Draw, shape: readonly number[], axis: number): CaseInput {
  const at = shape.map((size, i) => (i === axis ? draw.int(1, 4) : draw.int(1, size)));
  return draw.indices(at, shape[axis]!);
}

const gatherElements = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1, maxRank: 3, maxElements: 24 });
  const axis = draw.int(0, shape.length - 1);
  return apply("GatherElements", [draw.real(shape), elementIndices(draw, shape, axis)], { axis });
};

/** Reductions of several writes to one place. For "none", the order of writes is unspecified. */
const reductions = ["none", "add", "mul", "min", "max"] as const;

/** Numbers of which no two are equal, for extremes; for products, some are 0. */
function written(draw: Draw, shapes: readonly (readonly number[])[], reduction: string): readonly CaseInput[] {
  if (reduction === "min" || reduction === "max") return draw.distinct(shapes);
  const inputs = shapes.map((shape) => draw.real(shape));
  if (reduction !== "mul") return inputs;
  return inputs.map((input) => ({ ...input, data: input.data.map((x) => (draw.int(0, 3) === 0 ? 0 : x)) }));
}

const scatterElements = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1, maxRank: 3, maxElements: 24 });
  const axis = draw.int(0, shape.length - 1);
  const reduction = draw.pick(reductions);
  const once: CaseInput = {
    dtype: "int64",
    shape: shape.with(axis, 1),
    data: range(product(shape) / shape[axis]!).map(() => -1),
  };
  const at = reduction === "none" ? once : elementIndices(draw, shape, axis);
  const [data, updates] = written(draw, [shape, at.shape], reduction) as [CaseInput, CaseInput];
  return apply("ScatterElements", [data, at, updates], { axis, reduction });
};

/** Index vectors of one to all axes. */
function vectors(draw: Draw, shape: readonly number[]): CaseInput {
  const [rows, depth] = [draw.int(1, 3), draw.int(1, shape.length)];
  const data = range(rows * depth).map((i) => draw.int(0, shape[i % depth]! - 1));
  return { dtype: "int64", shape: [rows, depth], data };
}

const gatherND = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1, maxRank: 3, maxElements: 24 });
  return apply("GatherND", [draw.real(shape), vectors(draw, shape)]);
};

const scatterND = (draw: Draw): GradientCase => {
  const shape = draw.shape({ minRank: 1, maxRank: 3, maxElements: 24 });
  const reduction = draw.pick(reductions);
  const drawn = vectors(draw, shape);
  const depth = drawn.shape[1]!;
  const at = reduction === "none" ? { ...drawn, shape: [1, depth], data: drawn.data.slice(0, depth) } : drawn;
  const sizes = [shape, [at.shape[0]!, ...shape.slice(depth)]];
  const [data, updates] = written(draw, sizes, reduction) as [CaseInput, CaseInput];
  return apply("ScatterND", [data, at, updates], { reduction });
};

const cumSum = (draw: Draw, { length }: readonly number[]): Attributes => ({
  axis: draw.axis(length),
  exclusive: draw.int(0, 1),
  reverse: draw.int(0, 1),
});

export const indexing: Checks = {
  Slice: onShape("Slice", slice, { minRank: 1 }),
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  CumSum: onShape("CumSum", cumSum, { minRank: 1 }),
};
