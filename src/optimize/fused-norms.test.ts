import { expect, test } from "vitest";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { compile } from "../runtime/index.ts";
import { withFusedNorms } from "./fused-norms.ts";

const data = Float32Array.from({ length: 24 }, (_, i) => Math.sin(3 * i) + i / 10);

/** As exporters write it; `square` as a power or as a product. */
function written(g: Graph, x: Value, square: (value: Value) => Value, axes = [2]): Value {
  const vector = (values: readonly number[]): Value =>
    g.constant({ dtype: "float32", shape: [4], data: Float32Array.from(values) });
  const centred = g.sub(x, g.reduceMean(x, { axes, keepDims: true }));
  const variance = g.reduceMean(square(centred), { axes, keepDims: true });
  const normalized = g.div(centred, g.sqrt(g.add(variance, 1e-3)));
  return g.add(vector([0.1, 0.2, -1, 0]), g.mul(normalized, vector([1, 2, -0.5, 3])));
}

const ops = (values: readonly Value[]): readonly string[] => reachable(values).nodes.map(({ op }) => op);

test.each([
  ["a power", (g: Graph) => (x: Value) => g.pow(x, 2)],
  ["a product", (g: Graph) => (x: Value) => g.mul(x, x)],
])("becomes one operator of the same values, squares written as %s", async (_, square) => {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 3, 4]);
  const y = written(g, x, square(g));
  const [fused] = withFusedNorms([y]);
  expect(ops([fused!])).toEqual(["LayerNormalization"]);
  const program = await compile({ y, fused: fused! }, { threads: 1 });
  const result = await program.run({ x: data });
  await program.dispose();
  // float32 in another order.
  for (const [i, value] of Array.from(result.y, Number).entries())
    expect(Number(result.fused[i])).toBeCloseTo(value, 5);
});

test("over other axes, or of a cube, it stays what it is", () => {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 3, 4]);
  const others = [written(g, x, (value) => g.mul(value, value), [1]), written(g, x, (value) => g.pow(value, 3))];
  expect(withFusedNorms(others)).toEqual(others);
});
