import { expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { evaluated } from "../testing/evaluate-values.ts";
import { withSharedErf } from "./shared-erf.ts";

const count = (values: readonly Value[], op: string): number =>
  reachable(values).nodes.filter((node) => node.op === op).length;

it("computes one error function for two stacked activations' values and derivatives each", async () => {
  const x = new Graph().input("x", "float32", [41]);
  const { graph: g } = x;
  const y = g.gelu(g.mul(g.gelu(x), 2));
  const [dx] = gradients(g.reduceSum(y), [x]);
  const shared = withSharedErf([y, dx]);
  expect([count([y, dx], "Gelu"), count([y, dx], "Erf")]).toEqual([2, 2]);
  expect([count(shared, "Gelu"), count(shared, "Erf")]).toEqual([0, 2]);

  // Wide enough for both tails of the distribution.
  const points = Float32Array.from({ length: 41 }, (_, i) => (i - 20) / 2);
  const [before, after] = [await evaluated([y, dx], { x: points }), await evaluated(shared, { x: points })];
  // Phi from float32's error function is exact to some 1e-7, times x and slopes up to 20.
  for (const [i, array] of before.entries())
    for (const [j, value] of array.entries()) expect(after[i]![j]).toBeCloseTo(Number(value), 5);
});

it("keeps the fused operator where no derivative is asked for, and the tanh form", () => {
  const x = new Graph().input("x", "float32", [3]);
  const y = x.graph.gelu(x);
  expect(withSharedErf([y])).toEqual([y]);
  const z = x.graph.gelu(x, "tanh");
  const both = [z, gradients(x.graph.reduceSum(z), [x])[0]];
  expect(withSharedErf(both)).toEqual(both);
});
