import { type DType, elementCount } from "../../tensor/index.ts";
import { mismatch } from "../errors.ts";
import { axesIn, axisIn, broadcast, product, range, sameShape } from "../shapes.ts";
import type { Value, ValueType } from "../value.ts";
import { gather, gatherElements, gatherND, scatterElements, scatterND, slice } from "./indexing.ts";
import { first, floatDType, int, ints, type Operator, one, sameDType, two } from "./operator.ts";
import { gemm, matMul, matMulInteger } from "./products.ts";
import { averagePool, conv, convTranspose, maxPool } from "./windows.ts";

export { int, ints, type Operator } from "./operator.ts";

const numeric: Operator = { infer: (x) => one(sameDType([first(x)]), x[0]!.shape) };
const float: Operator = { infer: (x) => one(floatDType([first(x)]), x[0]!.shape) };
const question: Operator = { infer: (x) => [{ ...float.infer(x, {})[0]!, dtype: "bool" }] };
const logical: Operator = {
  infer: (x) => (x.some((value) => value.dtype !== "bool") ? mismatch("needs bool inputs") : broadcastInfer(x)),
};

function broadcastInfer(x: readonly Value[], dtype: DType = sameDType(x)): readonly ValueType[] {
  first(x);
  return one(dtype, x.map((value) => value.shape).reduce(broadcast));
}

const binary: Operator = { infer: (x) => broadcastInfer(two(x)) };
const variadic: Operator = { infer: (x) => broadcastInfer(x) };
const comparison: Operator = {
  infer: (x) => {
    sameDType(two(x));
    return broadcastInfer(x, "bool");
  },
};

function integerDType(x: readonly Value[]): DType {
  const dtype = sameDType(x);
  return /^u?int/.test(dtype) ? dtype : mismatch(`needs integers, got ${dtype}`);
}

const bitwise: Operator = { infer: (x) => broadcastInfer(two(x), integerDType(x)) };

const alongAxis: Operator = {
  complete: (a, x) => ({ ...a, axis: axisIn((a.axis as number) ?? -1, first(x).rank) }),
  infer: (x) => one(floatDType(x), x[0]!.shape),
};

const reduction: Operator = {
  complete: (a, x) => ({
    axes: axesIn(a.axes as readonly number[] | undefined, first(x).rank),
    keepdims: (a.keepdims as number) ?? 1,
  }),
  infer: (x, a) => one(first(x).dtype, reducedShape(x[0]!.shape, ints(a, "axes"), int(a, "keepdims") === 1)),
};

export function reducedShape(shape: readonly number[], axes: readonly number[], keepDims: boolean): readonly number[] {
  const sizes = shape.map((size, i) => (axes.includes(i) ? 1 : size));
  return keepDims ? sizes : sizes.filter((_, i) => !axes.includes(i));
}

const argument: Operator = {
  complete: (a, x) => ({
    axis: axisIn((a.axis as number) ?? 0, first(x).rank),
    keepdims: (a.keepdims as number) ?? 1,
    select_last_index: (a.select_last_index as number) ?? 0,
  }),
  infer: (x, a) => one("int64", reducedShape(x[0]!.shape, [int(a, "axis")], int(a, "keepdims") === 1)),
};

const layerNormalization: Operator = {
  // The axis is kept counted from the end, which is how it is written out before opset 17.
  complete: (a, x) => ({
    epsilon: (a.epsilon as number) ?? 1e-5,
    axis: axisIn((a.axis as number) ?? -1, first(x).rank) - x[0]!.rank,
  }),
  infer: (x, a) => {
    const dtype = floatDType(x);
    const { shape, rank } = first(x, 2);
    const axis = rank + int(a, "axis");
    for (const affine of x.slice(1)) {
      if (!sameShape(broadcast(shape, affine.shape), shape)) mismatch(`scale or bias does not broadcast to [${shape}]`);
    }
    // Mean and inverse deviation are float32 whatever x is: what ONNX calls the stash type.
    const statistics: ValueType = { dtype: "float32", shape: shape.map((size, i) => (i < axis ? size : 1)) };
    return [{ dtype, shape }, statistics, statistics];
  },
};

/** `-1` and `0` stay in the attribute, so that a graph can be saved with a symbolic batch axis. */
const reshape: Operator = {
  infer: (x, a) => {
    const { dtype, shape: from } = first(x);
    const wanted = ints(a, "shape").map((size, i) => (size === 0 && !a.allowzero ? (from[i] ?? 0) : size));
    const known = product(wanted.filter((size) => size !== -1));
    const shape = wanted.map((size) => (size === -1 ? elementCount(from) / known : size));
    if (elementCount(from) !== product(shape) || !shape.every(Number.isInteger)) {
      mismatch(`${elementCount(from)} elements do not fit [${wanted}]`);
    }
    return one(dtype, shape);
  },
};

/** Every operator the graph can hold, by ONNX name. */
export const operators: Readonly<Record<string, Operator>> = {
  // Element-wise arithmetic
  Add: binary,
  Sub: binary,
  Mul: binary,
  Div: binary,
  Pow: { infer: (x) => broadcastInfer(two(x), x[0]!.dtype) },
  Min: variadic,
  Max: variadic,
  Neg: numeric,
  Abs: numeric,
  Sign: numeric,
  Floor: float,
  Ceil: float,
  Round: float,
  Sin: float,
  Cos: float,
  Tan: float,
  Asin: float,
  Acos: float,
  Atan: float,
  Sinh: float,
  Cosh: float,
  Asinh: float,
  Acosh: float,
  Atanh: float,
  Sqrt: float,
  Mod: {
    complete: (a) => ({ fmod: 0, ...a }),
    infer: (x, a) => {
      const isFloat = first(x).dtype.startsWith("float");
      return isFloat && !a.fmod ? mismatch("of floating-point numbers needs fmod 1") : binary.infer(x, a);
    },
  },
  Reciprocal: float,
  Exp: float,
  Log: float,
  Clip: numeric,

  // Activations
  Relu: numeric,
  Sigmoid: float,
  Tanh: float,
  Softplus: float,
  Erf: float,
  // x sigmoid(alpha x)
  Swish: { complete: (a) => ({ alpha: 1, ...a }), infer: float.infer },
  Gelu: { complete: (a) => ({ approximate: "none", ...a }), infer: float.infer },
  Softmax: alongAxis,
  LogSoftmax: alongAxis,

  // Comparison, logic, selection
  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  IsNaN: question,
  IsInf: { complete: (a) => ({ detect_negative: 1, detect_positive: 1, ...a }), infer: question.infer },
  And: logical,
  Or: logical,
  Xor: logical,

  // Bits of integers
  BitShift: bitwise,
  BitwiseAnd: bitwise,
  BitwiseOr: bitwise,
  BitwiseXor: bitwise,
  BitwiseNot: { infer: (x) => one(integerDType([first(x)]), x[0]!.shape) },
  Not: logical,
  Where: {
    infer: (x) => {
      if (first(x, 3).dtype !== "bool") mismatch("needs a bool condition");
      return broadcastInfer(x, sameDType(x.slice(1)));
    },
  },

  // Products
  MatMul: matMul,
  Gemm: gemm,
  MatMulInteger: matMulInteger,
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,

  // Reductions and normalisation
  ReduceSum: reduction,
  ReduceMean: reduction,
  ReduceMax: reduction,
  ReduceMin: reduction,
  ReduceL2: reduction,
  ArgMax: argument,
  ArgMin: argument,
  TopK: {
    complete: (a, x) => ({
      axis: axisIn((a.axis as number) ?? -1, first(x).rank),
      k: int(a, "k"),
      largest: (a.largest as number) ?? 1,
      sorted: (a.sorted as number) ?? 1,
    }),
    infer: (x, a) => {
      const [axis, k] = [int(a, "axis"), int(a, "k")];
      const { dtype, shape } = x[0]!;
      if (k > shape[axis]!) mismatch(`takes the first ${k} of only ${shape[axis]}`);
      return [
        { dtype, shape: shape.with(axis, k) },
        { dtype: "int64", shape: shape.with(axis, k) },
      ];
    },
  },
  LayerNormalization: layerNormalization,

  // Shape
  Identity: numeric,
  Cast: { infer: (x, a) => one(a.to as DType, first(x).shape) },
  // By a scale and a zero point for the whole tensor; the result has the zero point's type.
  QuantizeLinear: {
    infer: (x) => {
      const [value, scale, zeroPoint] = [first(x, 3), x[1]!, x[2]!];
      if (scale.rank + zeroPoint.rank > 0) mismatch("needs a scalar scale and zero point");
      return one(zeroPoint.dtype, value.shape);
    },
  },
  Reshape: reshape,
  Flatten: {
    complete: (a, x) => ({
      axis: (a.axis as number) === x[0]?.rank ? x[0]!.rank : axisIn((a.axis as number) ?? 1, first(x).rank),
    }),
    infer: (x, a) => {
      const { dtype, shape } = x[0]!;
      return one(dtype, [product(shape.slice(0, int(a, "axis"))), product(shape.slice(int(a, "axis")))]);
    },
  },
  Squeeze: {
    complete: (a, x) => ({
      axes: axesIn(
        (a.axes as readonly number[]) ?? range(first(x).rank).filter((i) => x[0]!.shape[i] === 1),
        first(x).rank,
      ),
    }),
    infer: (x, a) => {
      const axes = ints(a, "axes");
      if (axes.some((axis) => x[0]!.shape[axis] !== 1)) mismatch(`axes [${axes}] are not all of size 1`);
      return one(x[0]!.dtype, reducedShape(x[0]!.shape, axes, false));
    },
  },
  Unsqueeze: {
    complete: (a, x) => ({ axes: axesIn(ints(a, "axes"), first(x).rank + ints(a, "axes").length) }),
    infer: (x, a) => {
      const shape = [...x[0]!.shape];
      for (const axis of ints(a, "axes")) shape.splice(axis, 0, 1);
      return one(x[0]!.dtype, shape);
    },
  },
  Transpose: {
    complete: (a, x) => ({ perm: (a.perm as readonly number[]) ?? [...range(first(x).rank)].reverse() }),
    infer: (x, a) => {
      const perm = ints(a, "perm");
      if (
        !sameShape(
          [...perm].sort((p, q) => p - q),
          range(x[0]!.rank),
        )
      )
        mismatch(`[${perm}] is no permutation of the axes`);
      return one(
        x[0]!.dtype,
        perm.map((axis) => x[0]!.shape[axis]!),
      );
    },
  },
  Concat: {
    complete: (a, x) => ({ axis: axisIn(int(a, "axis"), first(x).rank) }),
    infer: (x, a) => {
      const axis = int(a, "axis");
      const shape = [...x[0]!.shape];
      for (const other of x.slice(1)) {
        const fits = other.rank === shape.length && other.shape.every((size, i) => i === axis || size === shape[i]);
        if (!fits) mismatch(`shapes differ beside axis ${axis}`);
        shape[axis] = shape[axis]! + other.shape[axis]!;
      }
      return one(sameDType(x), shape);
    },
  },
  Split: {
    complete: (a, x) => ({ axis: axisIn((a.axis as number) ?? 0, first(x).rank), split: ints(a, "split") }),
    infer: (x, a) => {
      const [axis, sizes] = [int(a, "axis"), ints(a, "split")];
      const size = x[0]!.shape[axis]!;
      if (sizes.some((part) => part < 0) || sizes.reduce((p, q) => p + q, 0) !== size)
        mismatch(`parts [${sizes}] do not add up to ${size}`);
      return sizes.map((part) => ({ dtype: x[0]!.dtype, shape: x[0]!.shape.with(axis, part) }));
    },
  },
  Slice: slice,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  CumSum: {
    complete: (a, x) => ({ exclusive: 0, reverse: 0, ...a, axis: axisIn(int(a, "axis"), first(x).rank) }),
    infer: (x) => one(first(x).dtype, x[0]!.shape),
  },
  Expand: { infer: (x, a) => one(first(x).dtype, broadcast(x[0]!.shape, ints(a, "shape"))) },
  Pad: {
    complete: (a, x) => {
      const { rank } = first(x);
      const axes = (a.axes as readonly number[] | undefined)?.map((axis) => axisIn(axis, rank)) ?? range(rank);
      const given = ints(a, "pads");
      if (given.length !== 2 * axes.length) mismatch(`needs ${2 * axes.length} pads, got ${given.length}`);
      const pads = range(2 * rank).map(() => 0);
      axes.forEach((axis, i) => {
        pads[axis] = given[i]!;
        pads[axis + rank] = given[i + axes.length]!;
      });
      return { mode: (a.mode as string) ?? "constant", value: (a.value as number) ?? 0, pads };
    },
    infer: (x, a) => {
      const pads = ints(a, "pads");
      const { dtype, shape } = x[0]!;
      const padded = shape.map((size, i) => size + pads[i]! + pads[i + shape.length]!);
      if (padded.some((size) => size < 0)) mismatch(`pads [${pads}] take more than there is`);
      return one(dtype, padded);
    },
  },
};
