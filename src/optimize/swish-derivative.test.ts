import { describe, expect, it, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { nodeOf } from "../graph/value.ts";
import { evaluated } from "../testing/evaluate-values.ts";
import { withSwishDerivative } from "./swish-derivative.ts";

const swish = (x: Value, by: number): Value => x.graph.mul(x, x.graph.sigmoid(by === 1 ? x : x.graph.mul(x, by)));

/** Two stacked activations of 41 points, their value and derivative. */
function stacked(by: number): readonly Value[] {
  const x = new Graph().input("x", "float32", [41]);
  const y = swish(x.graph.mul(swish(x, by), 2), by);
  return [y, gradients(x.graph.reduceSum(y), [x])[0]];
}

/** Nodes that go over all points. */
const passes = (values: readonly Value[]): number =>
  reachable(values).nodes.filter(({ outputs }) => outputs[0]!.shape.length === 1).length;

describe.each([
  ["SiLU", 1],
  ["OpenAI's approximation of GELU", 1.702],
])("%s", (_, by) => {
  const before = stacked(by);
  const after = withSwishDerivative(before);

  it("has the value and derivative that the rules of its parts give", async () => {
    // Both tails of the sigmoid, and zero.
    const points = Float32Array.from({ length: 41 }, (_, i) => (i - 20) / 2);
    const [wanted, got] = [await evaluated(before, { x: points }), await evaluated(after, { x: points })];
    // Some roundings at 6e-8 of values up to 20.
    for (const [i, array] of wanted.entries())
      for (const [j, value] of array.entries()) expect(got[i]![j]).toBeCloseTo(Number(value), 5);
  });

  // Each activation two, or three less one for 1 / a, which becomes a product's alpha.
  it("takes fewer passes over memory", () => {
    expect(passes(before) - passes(after)).toBe(4);
  });
});

describe("what only looks like it stays as it is", () => {
  const g = new Graph();
  const [x, dy, other] = ["x", "dy", "other"].map((name) => g.input(name, "float32", [3])) as [Value, Value, Value];
  const s = g.sigmoid(g.mul(x, 1.702));
  const through = (by: number, left: Value, slope: Value): Value => g.mul(g.mul(g.mul(dy, left), slope), by);
  const slope = g.mul(s, g.sub(1, s));
  const direct = g.mul(dy, s);

  it.each([
    ["another factor", g.add(direct, through(1.5, x, slope))],
    ["another value", g.add(direct, through(1.702, other, slope))],
    ["another cotangent", g.add(g.mul(other, s), through(1.702, x, slope))],
    ["another sigmoid", g.add(g.mul(dy, g.sigmoid(x)), through(1.702, x, slope))],
    ["a slope of 2 - s", g.add(direct, through(1.702, x, g.mul(s, g.sub(2, s))))],
    ["a slope of another sigmoid", g.add(direct, through(1.702, x, g.mul(s, g.sub(1, g.sigmoid(x)))))],
  ])("%s", (_, value) => {
    expect(withSwishDerivative([value])).toEqual([value]);
  });

  it("but not where operands are the other way round", () => {
    const value = g.add(g.mul(1.702, g.mul(g.mul(g.sub(1, s), s), g.mul(x, dy))), g.mul(s, dy));
    const [now] = withSwishDerivative([value]);
    expect(now).not.toBe(value);
    expect(nodeOf(now)!.inputs).toContain(dy);
  });
});

test("an activation that nobody differentiates stays as it is, and one of slope zero", () => {
  const x = new Graph().input("x", "float32", [3]);
  const y = swish(x, 1.702);
  expect(withSwishDerivative([y])).toEqual([y]);
  const z = swish(x, 0);
  const both = [z, gradients(x.graph.reduceSum(z), [x])[0]];
  expect(withSwishDerivative(both)).toEqual(both);
});
