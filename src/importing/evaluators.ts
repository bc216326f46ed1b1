import { axisIn, broadcast, int, ints, mismatch, product, range, sameShape } from "../graph/index.ts";
import type { Attributes } from "../onnx/index.ts";
import { OnnxError } from "../onnx/index.ts";
import { type DType, storageClass } from "../tensor/index.ts";
import type { Known } from "./known.ts";
import { small } from "./limits.ts";

type Evaluator = (x: readonly Known[], a: Attributes) => readonly Known[];

/*
 * Shape arithmetic: what exporters compute from the sizes of symbolic axes, on integers mostly. Attributes are in canonical
 * form (see onnx/operators.ts).
 */

const isFloat = (dtype: DType): boolean => dtype.startsWith("float");

/** Picks elements of a known tensor by position, as slices, gathers and transposes do. */
function picked(x: Known, shape: readonly number[], source: (index: readonly number[]) => number): readonly Known[] {
  const index = shape.map(() => 0);
  const values = range(product(small(shape))).map((flat) => {
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return x.values[source(index)] ?? mismatch(`there is no element at ${source(index)} of ${x.values.length}`);
  });
  return [{ dtype: x.dtype, shape, values }];
}

/** Where an index lies in row-major order; axes of size 1 are repeated. */
function place(index: readonly number[], shape: readonly number[]): number {
  const extra = index.length - shape.length;
  return shape.reduce((at, size, axis) => at * size + (size === 1 ? 0 : index[axis + extra]!), 0);
}

const repeated = (x: Known, shape: readonly number[]): readonly number[] =>
  picked(x, shape, (index) => place(index, x.shape))[0]!.values;

function elementwise(f: (...x: readonly number[]) => number, dtype?: DType): Evaluator {
  return (x) => {
    const shape = small(x.map((operand) => operand.shape).reduce(broadcast));
    const operands = x.map((operand) => repeated(operand, shape));
    const values = range(product(shape)).map((i) => f(...operands.map((operand) => operand[i]!)));
    return [{ dtype: dtype ?? x.at(-1)!.dtype, shape, values }];
  };
}

/** Integers divide towards zero. */
const div: Evaluator = (x, a) =>
  elementwise((p, q) => (isFloat(x[0]!.dtype) ? p! / q! : Math.trunc(p! / notZero(q!))))(x, a);

/** The sign of the divisor, or of the dividend (`fmod`). */
const mod: Evaluator = (x, a) => {
  const divisor = isFloat(x[0]!.dtype) ? (q: number) => q : notZero;
  return elementwise((p, q) => (a.fmod ? p! % divisor(q!) : ((p! % divisor(q!)) + q!) % q!))(x, a);
};

/** CPUs abort a program that divides integers by zero. */
function notZero(divisor: number): number {
  if (divisor === 0) throw new OnnxError("it divides integers by zero");
  return divisor;
}

const comparison = (f: (p: number, q: number) => boolean): Evaluator =>
  elementwise((p, q) => Number(f(p!, q!)), "bool");

export const roundToEven = (value: number): number => {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
};

/** Casts elements. Floats beyond an integer's range become NaN: CPUs convert them differently. */
function cast(x: Known, to: DType): Known {
  const fits = (value: number): boolean => Math.abs(value) < 2 ** (storageClass(to).BYTES_PER_ELEMENT * 8 - 1);
  const isUnsure = isFloat(x.dtype) && !isFloat(to) && to !== "bool";
  const convert = isUnsure
    ? (value: number) => (fits(value) ? Math.trunc(value) : Number.NaN)
    : (value: number) => value;
  return { dtype: to, shape: x.shape, values: x.values.map(convert) };
}

function reshaped(x: Known, shape: readonly number[]): readonly Known[] {
  return [{ ...x, shape }];
}

function reshape(x: Known, a: Attributes): readonly Known[] {
  const wanted = ints(a, "shape").map((size, i) => (size === 0 && !a.allowzero ? x.shape[i]! : size));
  const known = product(wanted.filter((size) => size !== -1));
  return reshaped(
    x,
    wanted.map((size) => (size === -1 ? x.values.length / known : size)),
  );
}

function reduction(f: (values: readonly number[]) => number): Evaluator {
  return ([x], a) => {
    const { shape } = x!;
    const axes = ((a.axes as readonly number[]) ?? range(shape.length)).map((axis) => axisIn(axis, shape.length));
    const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    // Of an axis without elements, too, there is one result.
    const groups = range(product(small(kept))).map((): number[] => []);
    for (const flat of range(x!.values.length)) groups[place(indexOf(flat, shape), kept)]!.push(x!.values[flat]!);
    const out = a.keepdims === 0 ? shape.filter((_, axis) => !axes.includes(axis)) : kept;
    return [{ dtype: x!.dtype, shape: out, values: groups.map(f) }];
  };
}

function indexOf(flat: number, shape: readonly number[]): readonly number[] {
  const index = shape.map(() => 0);
  for (let axis = shape.length - 1, rest = flat; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return index;
}

const gather: Evaluator = ([x, at], a) => {
  const axis = axisIn(int(a, "axis"), x!.shape.length);
  const shape = [...x!.shape.slice(0, axis), ...at!.shape, ...x!.shape.slice(axis + 1)];
  const size = x!.shape[axis]!;
  return picked(x!, shape, (index) => {
    const where = at!.values[place(index.slice(axis, axis + at!.shape.length), at!.shape)]!;
    const row = where < 0 ? where + size : where;
    if (!(row >= 0 && row < size)) mismatch(`index ${where} is not among ${size}`);
    return place([...index.slice(0, axis), row, ...index.slice(axis + at!.shape.length)], x!.shape);
  });
};

const slice: Evaluator = ([x], a) => {
  const rank = x!.shape.length;
  const [starts, ends] = [ints(a, "starts"), ints(a, "ends")];
  const steps = (a.steps as readonly number[]) ?? starts.map(() => 1);
  const axes = ((a.axes as readonly number[]) ?? range(starts.length)).map((axis) => axisIn(axis, rank));
  const spans = x!.shape.map((size, axis) => {
    const i = axes.indexOf(axis);
    if (i < 0) return { start: 0, step: 1, count: size };
    const step = steps[i]!;
    const clamp = (v: number, low: number, high: number) => Math.min(Math.max(v < 0 ? v + size : v, low), high);
    const start = clamp(starts[i]!, 0, step > 0 ? size : size - 1);
    const end = step > 0 ? clamp(ends[i]!, 0, size) : clamp(ends[i]!, -1, size - 1);
    return { start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
  });
  const shape = spans.map(({ count }) => count);
  return picked(x!, shape, (index) =>
    index.reduce((at, i, axis) => at * x!.shape[axis]! + spans[axis]!.start + i * spans[axis]!.step, 0),
  );
};

const concat: Evaluator = (x, a) => {
  const axis = axisIn(int(a, "axis"), x[0]!.shape.length);
  const others = x.map((part) => part.shape.toSpliced(axis, 1));
  if (others.some((sizes) => !sameShape(sizes, others[0]!))) mismatch(`shapes differ beside axis ${axis}`);
  const shape = x[0]!.shape.with(
    axis,
    x.reduce((sum, part) => sum + part.shape[axis]!, 0),
  );
  const before = product(small(shape).slice(0, axis));
  const values = range(before).flatMap((row) =>
    x.flatMap((part) => {
      const width = part.values.length / before;
      return part.values.slice(row * width, (row + 1) * width);
    }),
  );
  return [{ dtype: x[0]!.dtype, shape, values }];
};

const split: Evaluator = ([x], a) => {
  const axis = axisIn(int(a, "axis"), x!.shape.length);
  let start = 0;
  const length = x!.shape[axis]!;
  const most = Math.ceil(length / ((a.parts as number | undefined) ?? 1));
  const sizes =
    (a.split as readonly number[] | undefined) ?? range(int(a, "parts")).map((i) => Math.min(most, length - i * most));
  if (sizes.reduce((p, q) => p + q, 0) !== length) mismatch(`parts of ${sizes.join(", ")} do not make ${length}`);
  return sizes.flatMap((size) => {
    const part = slice([x!], { starts: [start], ends: [start + size], axes: [axis] });
    start += size;
    return part;
  });
};

const transpose: Evaluator = ([x], a) => {
  const perm = (a.perm as readonly number[]) ?? [...range(x!.shape.length)].reverse();
  const shape = perm.map((axis) => x!.shape[axis]!);
  return picked(x!, shape, (index) =>
    place(
      range(perm.length).map((axis) => index[perm.indexOf(axis)]!),
      x!.shape,
    ),
  );
};

const tile: Evaluator = ([x], a) => {
  const shape = x!.shape.map((size, axis) => size * ints(a, "repeats")[axis]!);
  return picked(x!, shape, (index) => index.reduce((at, i, axis) => at * x!.shape[axis]! + (i % x!.shape[axis]!), 0));
};

/** Indices of the elements that are not zero, [rank, count]. */
const nonZero: Evaluator = ([x]) => {
  const indices = range(x!.values.length)
    .filter((flat) => x!.values[flat] !== 0)
    .map((flat) => indexOf(flat, x!.shape));
  const rank = x!.shape.length;
  return [
    {
      dtype: "int64",
      shape: [rank, indices.length],
      values: range(rank).flatMap((axis) => indices.map((i) => i[axis]!)),
    },
  ];
};

const rangeOf: Evaluator = ([start, limit, delta]) => {
  const [from, to, by] = [start!.values[0]!, limit!.values[0]!, delta!.values[0]!];
  const shape = small([Math.max(0, Math.ceil((to - from) / by))]);
  return [{ dtype: start!.dtype, shape, values: range(shape[0]!).map((i) => from + i * by) }];
};

const squeeze: Evaluator = ([x], a) => {
  const axes = (a.axes as readonly number[] | undefined)?.map((axis) => axisIn(axis, x!.shape.length));
  return reshaped(
    x!,
    x!.shape.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
  );
};

const unsqueeze: Evaluator = ([x], a) => {
  const given = ints(a, "axes");
  const rank = x!.shape.length + given.length;
  const shape = [...x!.shape];
  for (const axis of given.map((axis) => axisIn(axis, rank)).sort((p, q) => p - q)) shape.splice(axis, 0, 1);
  return reshaped(x!, shape);
};

const isInfinite: Evaluator = (x, a) =>
  elementwise((p) => {
    const detected = p! > 0 ? a.detect_positive : a.detect_negative;
    return Number(!Number.isFinite(p) && !Number.isNaN(p) && detected !== 0);
  }, "bool")(x, a);

const clip: Evaluator = (x, a) =>
  elementwise((p) => {
    const [low, high] = [(a.min as number) ?? Number.NEGATIVE_INFINITY, (a.max as number) ?? Number.POSITIVE_INFINITY];
    return Math.min(Math.max(p!, low), high);
  })(x, a);

/** The index of the first or last best element along an axis. */
function argument(isBetter: (p: number, q: number) => boolean): Evaluator {
  return ([x], a) => {
    const { select_last_index: last, axis, keepdims } = a;
    const best = reduction((values) =>
      values.reduce((at, value, i) => (isBetter(value, values[at]!) || (last && value === values[at]) ? i : at), 0),
    );
    return best([x!], { axes: [axis as number], keepdims: keepdims! }).map((result) => ({ ...result, dtype: "int64" }));
  };
}

const cumSum: Evaluator = ([x], a) => {
  const axis = axisIn(int(a, "axis"), x!.shape.length);
  const values = x!.values.map((value, flat) => {
    const index = indexOf(flat, x!.shape);
    const at = index[axis]!;
    const own = a.exclusive ? 0 : value;
    const before = a.reverse ? range(x!.shape[axis]! - at - 1).map((i) => at + 1 + i) : range(at);
    return before.reduce((sum, i) => sum + x!.values[place(index.with(axis, i), x!.shape)]!, own);
  });
  return [{ ...x!, values }];
};

const trilu: Evaluator = ([x], a) => {
  const values = x!.values.map((value, flat) => {
    const [row, column] = indexOf(flat, x!.shape).slice(-2) as [number, number];
    const above = column - row - ((a.k as number) ?? 0);
    return (a.upper === 0 ? above <= 0 : above >= 0) ? value : 0;
  });
  return [{ ...x!, values }];
};

/** By ONNX name. */
export const evaluators: Readonly<Record<string, Evaluator>> = {
  Identity: ([x]) => [x!],
  Cast: ([x], a) => [cast(x!, a.to as DType)],
  Add: elementwise((p, q) => p! + q!),
  Sub: elementwise((p, q) => p! - q!),
  Mul: elementwise((p, q) => p! * q!),
  Div: div,
  Mod: mod,
  Pow: (x, a) => [{ ...elementwise((p, q) => p! ** q!)(x, a)[0]!, dtype: x[0]!.dtype }],
  Min: elementwise(Math.min),
  Max: elementwise(Math.max),
  Neg: elementwise((p) => -p!),
  Abs: elementwise((p) => Math.abs(p!)),
  Sign: elementwise((p) => Math.sign(p!)),
  Sqrt: elementwise((p) => Math.sqrt(p!)),
  Reciprocal: elementwise((p) => 1 / p!),
  Floor: elementwise((p) => Math.floor(p!)),
  Ceil: elementwise((p) => Math.ceil(p!)),
  Round: elementwise((p) => roundToEven(p!)),
  Relu: elementwise((p) => Math.max(p!, 0)),
  Clip: clip,
  Equal: comparison((p, q) => p === q),
  Greater: comparison((p, q) => p > q),
  GreaterOrEqual: comparison((p, q) => p >= q),
  Less: comparison((p, q) => p < q),
  LessOrEqual: comparison((p, q) => p <= q),
  Xor: comparison((p, q) => (p !== 0) !== (q !== 0)),
  IsNaN: (x, a) => elementwise((p) => Number(Number.isNaN(p)), "bool")(x, a),
  IsInf: isInfinite,
  And: comparison((p, q) => p !== 0 && q !== 0),
  Or: comparison((p, q) => p !== 0 || q !== 0),
  Not: elementwise((p) => Number(p === 0)),
  Where: elementwise((condition, p, q) => (condition ? p! : q!)),
  ReduceProd: reduction(product),
  ReduceSum: reduction((values) => values.reduce((p, q) => p + q, 0)),
  ReduceMax: reduction((values) => Math.max(...values)),
  ReduceMin: reduction((values) => Math.min(...values)),
  ReduceMean: reduction((values) => values.reduce((p, q) => p + q, 0) / values.length),
  ArgMax: argument((p, q) => p > q),
  ArgMin: argument((p, q) => p < q),
  CumSum: cumSum,
  Gather: gather,
  Slice: slice,
  Concat: concat,
  Split: split,
  Transpose: transpose,
  Tile: tile,
  Expand: ([x], a) => {
    const shape = broadcast(x!.shape, ints(a, "shape"));
    return [{ dtype: x!.dtype, shape, values: repeated(x!, shape) }];
  },
  Reshape: ([x], a) => reshape(x!, a),
  Flatten: ([x], a) => {
    const at = a.axis === x!.shape.length ? x!.shape.length : axisIn(int(a, "axis"), x!.shape.length);
    return reshaped(x!, [product(x!.shape.slice(0, at)), product(x!.shape.slice(at))]);
  },
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Range: rangeOf,
  NonZero: nonZero,
  Trilu: trilu,
};
