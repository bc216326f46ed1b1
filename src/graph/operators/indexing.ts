import { mismatch } from "../errors.ts";
import { axesIn, axisIn, range, sameShape } from "../shapes.ts";
import type { Attributes, Value } from "../value.ts";
import { first, int, ints, type Operator, one, sameDType, sameLength } from "./operator.ts";

export const slice: Operator = {
  complete: (a, x) => {
    const { rank, shape } = first(x);
    const starts = ints(a, "starts");
    const axes = ((a.axes as readonly number[] | undefined) ?? range(starts.length)).map((axis) => axisIn(axis, rank));
    const steps = (a.steps as readonly number[] | undefined) ?? starts.map(() => 1);
    sameLength({ ...a, axes, steps }, ["ends", "axes", "steps"], starts.length);
    axesIn(axes, rank);
    if (steps.includes(0)) mismatch("a step of 0");
    // ONNX clamps: forwards into [0, size]; backwards into [0, size - 1], and an end before the start of the axis stays
    // what it is, since -1 would mean the last element.
    const bound = (position: number, size: number, low: number, high: number) =>
      Math.min(Math.max(position < 0 ? position + size : position, low), high);
    return {
      starts: starts.map((start, i) => bound(start, shape[axes[i]!]!, 0, shape[axes[i]!]! - (steps[i]! < 0 ? 1 : 0))),
      ends: ints(a, "ends").map((end, i) => {
        const size = shape[axes[i]!]!;
        if (steps[i]! > 0) return bound(end, size, 0, size);
        return end < -size ? -size - 1 : bound(end, size, 0, size - 1);
      }),
      axes,
      steps,
    };
  },
  infer: (x, a) => {
    const shape = [...x[0]!.shape];
    ints(a, "axes").forEach((axis, i) => {
      const span = Math.max(ints(a, "ends")[i]!, -1) - ints(a, "starts")[i]!;
      shape[axis] = Math.max(0, Math.ceil(span / ints(a, "steps")[i]!));
    });
    return one(x[0]!.dtype, shape);
  },
};

function integers(indices: Value): Value {
  return indices.dtype.startsWith("int") ? indices : mismatch("needs int32 or int64 indices");
}

export const gather: Operator = {
  complete: (a, x) => ({ axis: axisIn((a.axis as number) ?? 0, first(x).rank) }),
  infer: (x, a) => {
    const [axis, { dtype, shape }] = [int(a, "axis"), first(x, 2)];
    return one(dtype, [...shape.slice(0, axis), ...integers(x[1]!).shape, ...shape.slice(axis + 1)]);
  },
};

export const gatherElements: Operator = {
  complete: gather.complete!,
  infer: (x, a) => {
    const [{ dtype, shape }, at] = [first(x, 2), integers(x[1]!)];
    const fits = at.rank === shape.length && at.shape.every((size, i) => i === int(a, "axis") || size <= shape[i]!);
    if (!fits) mismatch(`indices of shape [${at.shape}] do not lie in [${shape}]`);
    return one(dtype, at.shape);
  },
};

export const gatherND: Operator = {
  complete: (a) => (a.batch_dims ? mismatch(`batch_dims ${a.batch_dims} must be written out`) : {}),
  infer: (x) => {
    const [{ dtype, shape }, at] = [first(x, 2), integers(x[1]!)];
    return one(dtype, [...at.shape.slice(0, -1), ...shape.slice(at.shape.at(-1))]);
  },
};

const reductions: readonly string[] = ["none", "add", "mul", "min", "max"];

function reduced({ reduction = "none" }: Attributes): string {
  return reductions.includes(String(reduction))
    ? String(reduction)
    : mismatch(`the reduction ${reduction} is not supported`);
}

export const scatterElements: Operator = {
  complete: (a, x) => ({ axis: axisIn((a.axis as number) ?? 0, first(x).rank), reduction: reduced(a) }),
  infer: (x) => {
    const dtype = sameDType([first(x, 3), x[2]!]);
    if (!sameShape(integers(x[1]!).shape, x[2]!.shape)) mismatch("needs as many updates as indices");
    return one(dtype, x[0]!.shape);
  },
};

export const scatterND: Operator = {
  complete: (a) => ({ reduction: reduced(a) }),
  infer: (x) => {
    const dtype = sameDType([first(x, 3), x[2]!]);
    const [{ shape }, { shape: at }, updates] = [x[0]!, integers(x[1]!), x[2]!];
    const rows = [...at.slice(0, -1), ...shape.slice(at.at(-1))];
    if (!sameShape(updates.shape, rows)) mismatch(`needs updates of shape [${rows}]`);
    return one(dtype, shape);
  },
};
