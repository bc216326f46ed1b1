import { nodeOf, type Value } from "../graph/index.ts";

/** A value that is another one times a number. */
export function scaled(value: Value): { readonly of: Value; readonly by: number } | undefined {
  const [a, b] = nodeOf(value, "Mul")?.inputs ?? [];
  if (!a || !b) return undefined;
  const [left, right] = [numberOf(a), numberOf(b)];
  if (right !== undefined) return { of: a, by: right };
  return left === undefined ? undefined : { of: b, by: left };
}

/** The number that a scalar constant in float32 is. */
export function numberOf({ origin, shape, dtype }: Value): number | undefined {
  if (origin.kind !== "constant" || shape.length > 0 || dtype !== "float32") return undefined;
  return origin.tensor.data[0] as number;
}
