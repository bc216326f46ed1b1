import type { Graph, Value } from "../../graph/index.ts";
import { axisIn, mismatch, range } from "../../graph/index.ts";
import type { DType } from "../../tensor/index.ts";
import { constantShape } from "../limits.ts";
import { type Composites, known, number } from "./use.ts";

/** Operators that pick, place or repeat by indices. */
export const indexings: Composites = {
  // Negative indices count from the end. Indices out of range match nothing.
  OneHot: ({ g, x: [places, size, values], a }) => {
    const [depth] = known(size!, "its depth") as [number];
    const axis = axisIn(number(a, "axis", -1), places!.rank + 1);
    const classes = range(constantShape(g, [Math.trunc(depth)])[0]!);
    const labels = g.reshape(
      g.indices(classes),
      range(places!.rank + 1).map((i) => (i === axis ? classes.length : 1)),
    );
    const at = g.unsqueeze(g.cast(places!, "int64"), [axis]);
    const counted = g.where(g.apply("Less", [at, g.scalar(0, "int64")])[0]!, g.add(at, classes.length), at);
    const [off, on] = g.split(values!, [1, 1]);
    return [select(g, g.equal(labels, counted), on!, off!)];
  },
  EyeLike: ({ g, x: [x], a }) => {
    const [rows, columns] = constantShape(g, x!.shape) as readonly [number, number];
    const k = number(a, "k", 0);
    const data = Uint8Array.from({ length: rows * columns }, (_, at) =>
      Number((at % columns) - Math.floor(at / columns) === k),
    );
    const eye = g.constant({ dtype: "bool", shape: [rows, columns], data });
    return [g.cast(eye, (a.dtype as DType | undefined) ?? x!.dtype)];
  },
  Range: ({ g, x }) => {
    const [from, to, by] = ["its start", "its limit", "its step"].map((what, i) => known(x[i]!, what)[0]!);
    const [count] = constantShape(g, [Math.max(0, Math.ceil((to! - from!) / by!))]) as [number];
    const { dtype } = x[0]!;
    const data = Float64Array.from({ length: count }, (_, i) => from! + i * by!);
    return [g.cast(g.constant({ dtype: "float64", shape: [count], data }), dtype)];
  },
  Compress: ({ g, x: [x, condition], a }) => {
    const kept = known(condition!, "what it keeps").flatMap((keeps, i) => (keeps ? [i] : []));
    const flat = a.axis === undefined ? g.reshape(x!, [-1]) : x!;
    return [g.gather(flat, g.indices(kept), axisIn(number(a, "axis", 0), flat.rank))];
  },
  // The first of each sequence turned around, as many as its length says.
  ReverseSequence: ({ g, x: [x, lengths], a }) => {
    const [time, batch] = [axisIn(number(a, "time_axis", 0), x!.rank), axisIn(number(a, "batch_axis", 1), x!.rank)];
    const along = (value: Value, axis: number): Value =>
      g.reshape(
        value,
        x!.shape.map((_, i) => (i === axis ? -1 : 1)),
      );
    const steps = along(g.indices(range(x!.shape[time]!)), time);
    const ends = along(lengths!, batch);
    const turned = g.where(g.apply("Less", [steps, ends])[0]!, g.sub(g.sub(ends, 1), steps), steps);
    return g.apply("GatherElements", [x!, g.expand(turned, x!.shape)], { axis: time });
  },
  // Indices of batches put in front of the indices within them.
  GatherND: ({ g, x: [x, at], a }) => {
    const batches = number(a, "batch_dims", 0);
    if (batches === 0) return g.apply("GatherND", [x!, at!], {});
    const front = at!.shape.slice(0, batches);
    const places = front.map((size, axis) => {
      const own = g.reshape(
        g.indices(range(size)),
        range(at!.rank).map((i) => (i === axis ? size : 1)),
      );
      return g.expand(own, [...at!.shape.slice(0, -1), 1]);
    });
    return g.apply("GatherND", [x!, g.concat([...places, g.cast(at!, "int64")], at!.rank - 1)], {});
  },
  // Writes an update into a cache, at an offset per image.
  TensorScatter: ({ g, x: [cache, update, starts], a }) => {
    const axis = axisIn(number(a, "axis", -2), cache!.rank);
    const [size, length] = [cache!.shape[axis]!, update!.shape[axis]!];
    const places = g.reshape(
      g.indices(range(size)),
      cache!.shape.map((_, i) => (i === axis ? size : 1)),
    );
    const first = starts
      ? g.reshape(
          g.cast(starts, "int64"),
          cache!.shape.map((_, i) => (i === 0 ? -1 : 1)),
        )
      : g.scalar(0, "int64");
    const distance = g.sub(places, first);
    const from = a.mode === "circular" ? g.apply("Mod", [distance, g.scalar(size, "int64")], {})[0]! : distance;
    const within = g.and(g.greaterOrEqual(from, 0), g.apply("Less", [from, g.scalar(length, "int64")])[0]!);
    const clipped = g.min(g.max(from, 0), length - 1);
    const [moved] = g.apply("GatherElements", [update!, g.expand(clipped, cache!.shape)], { axis });
    return [g.where(within, moved!, cache!)];
  },
  // Crops on both sides or pads with zeros. An odd element goes to the end.
  CenterCropPad: ({ g, x: [x], a }) => {
    const wanted = a.shape as readonly number[];
    const axes = ((a.axes as readonly number[] | undefined) ?? range(x!.rank)).map((axis) => axisIn(axis, x!.rank));
    return [axes.reduce((value, axis, i) => centred(g, value, axis, wanted[i]!), x!)];
  },
  CumProd: ({ g, x: [x], a }) => {
    const axis = axisIn(number(a, "axis", 0), x!.rank);
    const length = x!.shape[axis]!;
    if (length > maxSteps) mismatch(`its ${length} factors are more than ${maxSteps}`);
    const parts = g.split(
      x!,
      range(length).map(() => 1),
      axis,
    );
    const ordered = a.reverse ? parts.toReversed() : parts;
    const ones = g.expand(g.scalar(1, x!.dtype), x!.shape.with(axis, 1));
    const products: Value[] = [];
    for (const [i, part] of ordered.entries()) {
      const before = products.at(-1);
      const factor = a.exclusive ? ordered[i - 1] : part;
      products.push(before ? g.mul(before, factor!) : (factor ?? ones));
    }
    return [g.concat(a.reverse ? products.toReversed() : products, axis)];
  },
};

/** Maximum number of steps to unroll. */
export const maxSteps = 4096;

function centred(g: Graph, x: Value, axis: number, size: number): Value {
  const length = x.shape[axis]!;
  if (size === length) return x;
  const before = Math.floor(Math.abs(size - length) / 2);
  if (size < length) return g.slice(x, { starts: [before], ends: [before + size], axes: [axis] });
  const pads = range(2 * x.rank).map((i) => {
    if (i === axis) return before;
    return i === axis + x.rank ? size - length - before : 0;
  });
  return g.pad(x, pads);
}

/** `Where` for any type: ONNX Runtime has none for bool. */
export function select(g: Graph, condition: Value, a: Value, b: Value): Value {
  if (a.dtype !== "bool") return g.where(condition, a, b);
  const [yes, no] = [g.and(condition, a), g.and(g.not(condition), b)];
  return g.apply("Or", [yes, no])[0]!;
}
