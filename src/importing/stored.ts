import { type DType, storageClass } from "../tensor/index.ts";
import type { Known } from "./known.ts";

/**
 * A computed result as its element type holds it: floats rounded, small integers modulo their range, as ONNX Runtime's kernels
 * leave them. Undefined where an integer is not finite, which kernels do not agree about.
 */
export function stored(result: Known): Known | undefined {
  const { dtype, values } = result;
  if (dtype === "float16" || dtype === "float64") return result;
  if (dtype !== "float32" && !values.every(Number.isFinite)) return undefined;
  return { ...result, values: convert(dtype, values) };
}

function convert(dtype: Exclude<DType, "float16" | "float64">, values: readonly number[]): readonly number[] {
  if (dtype === "bool") return values.map((value) => Number(value !== 0));
  const Class = storageClass(dtype);
  // Integers of 64 bits are numbers here: whole, as far as those count.
  return Class === BigInt64Array ? values.map(Math.trunc) : [...(Class as Float32ArrayConstructor).from(values)];
}
