import type { OnnxAttribute } from "../../onnx/index.ts";
import { floatAttributes } from "../../onnx/operators.ts";
import type { Tensor } from "../../tensor/tensor.ts";

export { bool, f32, i8, i32, i64, int, ints, u8, word } from "../small-model.ts";

/** Sizes of an input whose elements are drawn: "2 3", or "" for one number. */
export type Drawn = string;

/** A tensor that is fed when the model runs, rather than held by the file. */
export interface Fed {
  readonly fed: Tensor;
}

/** An operator's input: numbers to draw, a tensor of the file, a tensor that is fed, or none. */
export type Operand = Drawn | Tensor | Fed | undefined;

/** One use of an operator. */
export interface KernelCase {
  /** Operator name, prefixed with its domain if that is not the standard one: `com.microsoft:Gelu`. */
  readonly op: string;
  /** Default 21. */
  readonly opset?: number;
  readonly operands: readonly Operand[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
  /** Places of the outputs to check. Default: the first. */
  readonly outputs?: readonly number[];
  /** How many outputs the node has, read or not. Default: those that are looked at, and left out what is between them. */
  readonly made?: number;
  /** Range of the numbers that are drawn. Default -2 to 2. */
  readonly low?: number;
  readonly high?: number;
  /** Whether drawn numbers stay away from a value: kinks, poles. "inside" where kinks cannot be kept away from. */
  readonly not?: ((x: number) => boolean) | "inside";
  /** How far results may be apart, of 1 or of themselves. Default 3e-5: orders of float32 operations on values up to 10. */
  readonly tolerance?: number;
  /** Where ONNX Runtime has no kernel on CPU: the outputs by the operator's definition. */
  readonly reference?: (inputs: readonly Float64Array[]) => readonly (readonly number[])[];
}

/** An attribute, or the plain value of one whose name says whether it is of floats. */
export type PlainAttributes = Readonly<Record<string, OnnxAttribute | number | string | readonly number[]>>;

/** A use of an operator, with whatever else there is to say of it. */
export const use = (
  op: string,
  operands: readonly Operand[],
  attributes: PlainAttributes = {},
  more: Partial<KernelCase> = {},
): KernelCase => ({
  ...{ op, operands },
  attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, typed(name, value)])),
  ...more,
});

function typed(name: string, value: PlainAttributes[string]): OnnxAttribute {
  const isFloat = floatAttributes.has(name) || /^(scales|activation_params)$/.test(name);
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "number") return { kind: isFloat ? "float" : "int", value };
  return Array.isArray(value) ? { kind: isFloat ? "floats" : "ints", value } : (value as OnnxAttribute);
}

/** Away from kinks. */
export const not =
  (...kinks: readonly number[]) =>
  (x: number): boolean =>
    kinks.some((kink) => Math.abs(x - kink) < 0.05);

export const float = (value: number): OnnxAttribute => ({ kind: "float", value });
export const floats = (...value: readonly number[]): OnnxAttribute => ({ kind: "floats", value });
export const wordList = (...value: readonly string[]): OnnxAttribute => ({ kind: "strings", value });
export const fed = (tensor: Tensor): Fed => ({ fed: tensor });

export const shapeOf = (drawn: Drawn): readonly number[] => (drawn === "" ? [] : drawn.split(" ").map(Number));
