import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { compile } from "../../runtime/index.ts";
import { f32, i64, imported, inOnnxRuntime, int, smallModel } from "../../testing/small-model.ts";
import { importModel } from "../import-model.ts";

const [most, least] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const rows = { x: [3, 2] as const };
const of = (op: string, attributes = {}, shape: readonly number[] = rows.x, held = {}): OnnxModel =>
  smallModel({ nodes: [[op, ["x", ...Object.keys(held)].join(" "), "y", attributes]], inputs: { x: shape }, held });

test.each<readonly [string, OnnxModel, readonly number[]]>([
  ["the 2-norm of a zero vector", of("LpNormalization", { axis: int(1) }), [0, 0, 3, 4, -1, 0]],
  ["the 1-norm of a zero vector", of("LpNormalization", { axis: int(1), p: int(1) }), [0, 0, 3, 4, -1, 0]],
  [
    "sums of exponentials of infinities",
    of("ReduceLogSumExp", { axes: { kind: "ints", value: [1] } }),
    [least, least, most, 1, least, 3],
  ],
  ["the logarithm of a sum that is 0", of("ReduceLogSum", { axes: { kind: "ints", value: [1] } }), [0, 0, 1, 2, 3, 4]],
  ...["Sum", "Prod", "L1", "L2", "SumSquare", "LogSum", "LogSumExp", "Max", "Min"].map(
    (kind) =>
      [
        `Reduce${kind} of nothing`,
        smallModel({
          opset: 20,
          nodes: [[`Reduce${kind}`, "x axes", "y"]],
          inputs: { x: [2, 0, 3] },
          held: { axes: i64([1]) },
        }),
        [],
      ] as const,
  ),
])("%s is what ONNX Runtime makes of it", async (_, model, values) => {
  const feeds = { x: f32(values, model.graph.inputs[0]!.shape as number[]) };
  expect((await imported(model, feeds)).y).toEqual((await inOnnxRuntime(model, feeds)).y);
});

test.each([1, 2])("the derivative of a normalised zero vector is 0, by the %d-norm", async (p) => {
  const { graph: g, inputs, outputs } = importModel(of("LpNormalization", { axis: int(1), p: int(p) }));
  const weights = g.constant({ dtype: "float32", shape: [3, 2], data: Float32Array.of(1, 2, 5, 4, 5, 6) });
  const [dx] = gradients(g.reduceSum(g.mul(outputs.get("y")!, weights)), [inputs.get("x")!]);
  const program = await compile({ dx });
  const result = await program.run({ x: Float32Array.of(0, 0, 3, 4, -1, 2) });
  await program.dispose();
  expect([...result.dx].slice(0, 2)).toEqual([0, 0]);
  expect([...result.dx].every((value) => Number.isFinite(value))).toBe(true);
  expect([...result.dx].slice(2)).not.toContain(0);
});
