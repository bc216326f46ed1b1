import type { DType } from "../../tensor/index.ts";
import { mismatch } from "../errors.ts";
import type { Attributes, Value, ValueType } from "../value.ts";

/**
 * The graph's knowledge of an operator: how attributes are completed (defaults filled in, axes made non-negative), and
 * the types of its outputs. Operators and attributes are those of ONNX opset 21 in canonical form, where static
 * operands (axes, shapes, pads, slices) are attributes.
 */
export interface Operator {
  readonly complete?: (attributes: Attributes, x: readonly Value[]) => Attributes;
  readonly infer: (x: readonly Value[], attributes: Attributes) => readonly ValueType[];
}

export const int = (a: Attributes, name: string): number => given(a, name) as number;
export const ints = (a: Attributes, name: string): readonly number[] => given(a, name) as readonly number[];

function given(a: Attributes, name: string): Attributes[string] {
  return a[name] ?? mismatch(`needs the attribute ${name}`);
}

/** Lists of numbers that must go together, one entry an axis. */
export function sameLength(a: Attributes, names: readonly string[], length: number): void {
  for (const name of names) {
    if (ints(a, name).length !== length) mismatch(`needs ${length} ${name}, got [${ints(a, name)}]`);
  }
}

const floating: readonly DType[] = ["float16", "float32", "float64"];

export function one(dtype: DType, shape: readonly number[]): readonly ValueType[] {
  return [{ dtype, shape }];
}

export function first(x: readonly Value[], count = 1): Value {
  if (x.length < count) mismatch(`needs ${count} input${count > 1 ? "s" : ""}, got ${x.length}`);
  return x[0]!;
}

/** The same inputs, once there are two. */
export function two(x: readonly Value[]): readonly Value[] {
  first(x, 2);
  return x;
}

export function sameDType(x: readonly Value[]): DType {
  const { dtype } = first(x);
  if (x.some((value) => value.dtype !== dtype)) mismatch("inputs have different element types; cast one");
  return dtype;
}

export function floatDType(x: readonly Value[]): DType {
  const dtype = sameDType(x);
  if (!floating.includes(dtype)) mismatch(`needs a floating-point input, got ${dtype}; cast it`);
  return dtype;
}
