import { describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { evaluated } from "../testing/evaluate-values.ts";
import { withScaledProducts } from "./scaled-products.ts";
import { withSharedErf } from "./shared-erf.ts";

const graph = () => {
  const g = new Graph();
  const input = (name: string, ...shape: number[]): Value => g.input(name, "float32", shape);
  return { g, x: input("x", 5, 4), w: input("w", 4, 3), bias: input("bias", 3) };
};

/** Multiplications by a number. */
const factors = (values: readonly Value[]): number =>
  reachable(values).nodes.filter(
    ({ op, inputs }) => op === "Mul" && inputs.some(({ origin, rank }) => origin.kind === "constant" && rank === 0),
  ).length;

async function expectSame(values: readonly Value[], wanted: { readonly factors: number }): Promise<void> {
  const passed = withScaledProducts(values);
  expect(factors(passed)).toBe(wanted.factors);
  const [before, after] = [await evaluated(values), await evaluated(passed)];
  // Sums of a few products of order 1 in float32, rounded in another order.
  for (const [i, numbers] of before.entries())
    for (const [j, number] of numbers.entries()) expect(after[i]![j]).toBeCloseTo(Number(number), 4);
}

describe("numbers become a product's own", () => {
  test("of its operands", async () => {
    const { g, x, w, bias } = graph();
    await expectSame([g.gemm(g.mul(x, 3), g.mul(0.5, w), bias)], { factors: 0 });
  });

  test("of its result, bias and all", async () => {
    const { g, x, w, bias } = graph();
    await expectSame([g.relu(g.mul(g.gemm(x, w, bias), -0.3))], { factors: 0 });
  });

  test("through products element by element, reshapes, sums and other numbers", async () => {
    const { g, x, w } = graph();
    const scaled = g.mul(g.mul(g.exp(x), 3), g.mul(g.mul(g.relu(x), 0.1), 7));
    const reshaped = g.reshape(g.reshape(scaled, [20]), [5, 4]);
    await expectSame([g.gemm(reshaped, w)], { factors: 0 });
    await expectSame([g.reduceSum(scaled, { axes: [0] })], { factors: 1 });
  });
});

describe("numbers stay", () => {
  test("where what they multiply is read without them, too", async () => {
    const { g, x, w, bias } = graph();
    const product = g.gemm(x, w, bias);
    await expectSame([g.mul(product, 2), g.exp(product)], { factors: 1 });
    await expectSame([product, g.mul(product, 2)], { factors: 1 });
  });

  test("on the smaller of two operands", async () => {
    const { g, x } = graph();
    const small = g.mul(g.reduceSum(x, { axes: [1], keepDims: true }), 2);
    const [passed] = withScaledProducts([g.mul(small, x)]);
    expect(passed!.origin.kind === "node" && passed!.origin.node.inputs.includes(x)).toBe(true);
    await expectSame([g.mul(small, x)], { factors: 1 });
  });

  test("of integers as they are", () => {
    const g = new Graph();
    const n = g.input("n", "int64", [3]);
    const doubled = g.mul(n, g.constant({ dtype: "int64", shape: [], data: BigInt64Array.of(2n) }));
    const values = [g.mul(doubled, n)];
    expect(withScaledProducts(values)).toEqual(values);
  });
});

test("a GELU between two products, with its derivatives, keeps none of its numbers", async () => {
  const { g, x, w, bias } = graph();
  const y = g.gemm(g.gelu(g.gemm(x, w, bias)), g.input("v", "float32", [3, 2]));
  const values = withSharedErf([y, ...gradients(g.reduceSum(g.mul(y, y)), [x, w])]);
  expect(factors(values)).toBe(3);
  await expectSame(values, { factors: 0 });
});
