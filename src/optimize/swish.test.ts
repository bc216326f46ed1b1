import { describe, expect, it, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { nodeOf } from "../graph/value.ts";
import { evaluated } from "../testing/evaluate-values.ts";
import { withFusedSwish, withSwishProducts } from "./swish.ts";

const written = (x: Value, by: number): Value => x.graph.mul(x, x.graph.sigmoid(by === 1 ? x : x.graph.mul(x, by)));

/** Value and derivative of two stacked activations of 41 points. */
function stacked(swish: (x: Value) => Value): readonly Value[] {
  const x = new Graph().input("x", "float32", [41]);
  const y = swish(x.graph.mul(swish(x), 2));
  return [y, gradients(x.graph.reduceSum(y), [x])[0]];
}

/** Nodes that go over all points. */
const passes = (values: readonly Value[]): number =>
  reachable(values).nodes.filter(({ outputs }) => outputs[0]!.shape.length === 1).length;

describe.each([
  ["SiLU", 1],
  ["OpenAI's approximation of GELU", 1.702],
])("%s", (_, by) => {
  const before = stacked((x) => written(x, by));
  const after = withSwishProducts(stacked((x) => x.graph.swish(x, by)));

  it("has the value and derivative that the rules of its parts give", async () => {
    // Both tails of the sigmoid, and zero.
    const points = Float32Array.from({ length: 41 }, (_, i) => (i - 20) / 2);
    const [wanted, got] = [await evaluated(before, { x: points }), await evaluated(after, { x: points })];
    // Some roundings at 6e-8 of values up to 20.
    for (const [i, array] of wanted.entries())
      for (const [j, value] of array.entries()) expect(got[i]![j]).toBeCloseTo(Number(value), 5);
  });

  // Each activation two, or three less one for 1 / a, which becomes a product's alpha.
  it("takes fewer passes over memory than its parts", () => {
    expect(passes(before) - passes(after)).toBe(4);
  });
});

describe("written out in a file", () => {
  const g = new Graph();
  const [x, other] = ["x", "other"].map((name) => g.input(name, "float32", [3])) as [Value, Value];

  it.each([
    ["SiLU", g.mul(x, g.sigmoid(x)), 1],
    ["OpenAI's GELU", g.mul(g.sigmoid(g.mul(1.702, x)), x), Math.fround(1.702)],
  ])("%s becomes the operator", (_, value, alpha) => {
    const node = nodeOf(withFusedSwish([value])[0]!)!;
    expect(node).toMatchObject({ op: "Swish", attributes: { alpha }, inputs: [x] });
  });

  it.each([
    ["a gate of another value", g.mul(x, g.sigmoid(other))],
    ["a gate of a multiple of another value", g.mul(x, g.sigmoid(g.mul(other, 1.702)))],
    ["a gate that is added", g.add(x, g.sigmoid(x))],
    ["another gate", g.mul(x, g.tanh(x))],
    ["a factor that overflows", g.mul(x, g.sigmoid(g.mul(x, 1e30)))],
    ["a factor of zero", g.mul(x, g.sigmoid(g.mul(x, 0)))],
  ])("%s stays as it is", (_, value) => {
    expect(withFusedSwish([value])).toEqual([value]);
  });
});

test("an activation that nobody differentiates is x s", () => {
  const x = new Graph().input("x", "float32", [3]);
  expect(withSwishProducts([x.graph.swish(x, 1.702)])).toEqual([written(x, 1.702)]);
});

test.each([0, 1e30, -1e-30])("a factor of %d: the derivative is that of the parts, and finite", async (by) => {
  const [before, after] = [(x: Value) => written(x, by), (x: Value) => x.graph.swish(x, by)].map(stacked);
  const points = Float32Array.from({ length: 41 }, (_, i) => (i - 20) / 2);
  const [wanted, got] = [
    await evaluated(before!, { x: points }),
    await evaluated(withSwishProducts(after!), { x: points }),
  ];
  expect(got.flatMap((array) => Array.from(array, Number)).every(Number.isFinite)).toBe(true);
  for (const [i, array] of wanted.entries())
    for (const [j, value] of array.entries()) expect(got[i]![j]).toBeCloseTo(Number(value), 5);
});
