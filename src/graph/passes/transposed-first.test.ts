import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { evaluated } from "../../testing/evaluate-values.ts";
import { Graph, type Value } from "../index.ts";
import { reachable } from "../reachable.ts";
import { withOperandsTransposedFirst } from "./transposed-first.ts";

/** The gradient of a layer's weights [inputs, outputs], times a number. */
function weightGradient(rows: number, inputs: number, outputs: number): Value {
  const g = new Graph();
  const [x, w] = [g.input("x", "float32", [rows, inputs]), g.input("w", "float32", [inputs, outputs])];
  const y = g.gemm(x, w, undefined, { alpha: 0.5 });
  return gradients(g.reduceSum(g.mul(y, g.input("dy", "float32", [rows, outputs]))), [w])[0]!;
}

/** Shapes of what is transposed, without axes of size 1. */
const transposed = (value: Value): readonly string[] =>
  reachable([value])
    .nodes.filter(({ op }) => op === "Transpose")
    .map(({ inputs: [x] }) => x!.shape.filter((size) => size > 1).join("x"));

test.each([
  ["its input, where that is no wider", 32, 48, ["256x32"]],
  ["its cotangent and then the result, where the input is wider", 48, 32, ["256x32", "32x48"]],
])("a weight gradient reads %s, transposed beforehand", async (_, inputs, outputs, wanted) => {
  const value = weightGradient(256, inputs, outputs);
  const [passed] = withOperandsTransposedFirst([value]);
  expect(passed!.shape).toEqual([inputs, outputs]);
  expect(transposed(passed!)).toEqual(wanted);
  expect(reachable([passed!]).nodes.some(({ attributes }) => attributes.transA === 1)).toBe(false);

  const [before, after] = [await evaluated([value]), await evaluated([passed!])];
  // Sums of 256 products of order 1 in float32, rounded in another order.
  for (const [i, number] of before[0]!.entries()) expect(after[0]![i]).toBeCloseTo(Number(number), 4);
});

test("products of few rows, forward products and products of other layouts stay", () => {
  const g = new Graph();
  const square = g.input("square", "float32", [256, 256]);
  const other = g.input("other", "float32", [256, 256]);
  const values = [
    weightGradient(16, 32, 48),
    g.gemm(square, other),
    g.gemm(square, other, undefined, { transB: true }),
    g.gemm(square, other, undefined, { transA: true, transB: true }),
    g.gemm(square, other, g.input("bias", "float32", [256]), { transA: true }),
  ];
  for (const value of values) expect(withOperandsTransposedFirst([value])).toEqual([value]);
});
