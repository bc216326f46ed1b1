import { describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { evaluated } from "../testing/evaluate-values.ts";
import { withTurnedProducts } from "./turned-products.ts";

const graph = () => {
  const g = new Graph();
  const input = (name: string, ...shape: number[]): Value => g.input(name, "float32", shape);
  return { g, a: input("a", 2, 3, 4, 5), b: input("b", 2, 3, 5, 6) };
};

/** Transpositions of results of products. */
const transposed = (values: readonly Value[]): number =>
  reachable(values).nodes.filter(
    ({ op, inputs: [x] }) => op === "Transpose" && x!.origin.kind === "node" && x!.origin.node.op === "MatMul",
  ).length;

async function expectTransposed(values: readonly Value[], wanted: number): Promise<void> {
  const passed = withTurnedProducts(values);
  expect(passed.map(({ shape }) => shape)).toEqual(values.map(({ shape }) => shape));
  expect(transposed(passed)).toBe(wanted);
  const [before, after] = [await evaluated(values), await evaluated(passed)];
  // Sums of a few products of order 1 in float32, rounded in another order.
  for (const [i, numbers] of before.entries())
    for (const [j, number] of numbers.entries()) expect(after[i]![j]).toBeCloseTo(Number(number), 4);
}

describe("a transposed product is turned", () => {
  test("as a matrix", async () => {
    const { g, a, b } = graph();
    await expectTransposed([g.swap(g.matMul(a, b))], 0);
  });

  test("with other axes moved, too: those stay to be moved", async () => {
    const { g, a, b } = graph();
    // A transposition of rows with heads is one that copies whole rows.
    await expectTransposed([g.transpose(g.matMul(a, b), [0, 3, 1, 2])], 1);
    const [passed] = withTurnedProducts([g.transpose(g.matMul(a, b), [0, 3, 1, 2])]);
    expect(passed!.origin.kind === "node" && passed!.origin.node.attributes.perm).toEqual([0, 2, 1, 3]);
  });

  test("of operands that are transposed themselves, without transposing them twice", async () => {
    const { g, a, b } = graph();
    const values = [g.swap(g.matMul(g.swap(b), g.swap(a)))];
    await expectTransposed(values, 0);
    expect(reachable(withTurnedProducts(values)).nodes.map(({ op }) => op)).toEqual(["MatMul"]);
  });

  test("in the derivative of attention's keys", async () => {
    const { g, a } = graph();
    const keys = g.input("keys", "float32", [2, 3, 4, 5]);
    const weights = g.softmax(g.matMul(a, g.swap(keys)));
    const values = gradients(g.reduceSum(g.mul(weights, weights)), [a, keys]);
    expect(transposed(values)).toBe(1);
    await expectTransposed(values, 0);
  });
});

describe("a transposed product stays", () => {
  test("where it is read as it is, too", async () => {
    const { g, a, b } = graph();
    const product = g.matMul(a, b);
    await expectTransposed([g.swap(product), g.relu(product)], 1);
  });

  test.each([
    [0, 2, 1, 3],
    [1, 0, 2, 3],
    [3, 2, 0, 1],
  ])("where what is left moves single elements: %i %i %i %i", async (...perm) => {
    const { g, a, b } = graph();
    await expectTransposed([g.transpose(g.matMul(a, b), perm)], 1);
  });

  test("where it is a number", async () => {
    const { g } = graph();
    const [u, v] = [g.input("u", "float32", [5]), g.input("v", "float32", [5])];
    await expectTransposed([g.transpose(g.matMul(u, v), [])], 1);
  });

  test("where one operand serves a whole batch", async () => {
    const { g, a } = graph();
    await expectTransposed([g.swap(g.matMul(a, g.input("w", "float32", [5, 6])))], 1);
    await expectTransposed([g.swap(g.matMul(a, g.input("v", "float32", [1, 1, 5, 6])))], 1);
  });
});
