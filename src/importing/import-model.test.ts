import { describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { toOnnx } from "../graph/export.ts";
import { Graph, GraphError, type Value } from "../graph/index.ts";
import { decodeModel, encodeModel } from "../onnx/index.ts";
import { compile } from "../runtime/index.ts";
import { importModel } from "./import-model.ts";

/** A little network that uses what opsets spell differently: axes, splits, pads, clips, Gelu, LayerNormalization. */
function network() {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 3, 4]);
  const weight = g.constant({
    dtype: "float32",
    shape: [4, 4],
    data: Float32Array.from({ length: 16 }, (_, i) => Math.sin(i)),
  });
  const scale = g.constant({ dtype: "float32", shape: [4], data: Float32Array.of(1, 2, 0.5, 1) });
  const [a, b] = g.split(g.gelu(g.layerNormalization(g.matMul(x, weight), scale)), [1, 2], 1);
  const joined = g.concat([g.clip(g.pad(a!, [0, 0, 0, 0, 1, 0]), -0.4, 0.9), b!], 1);
  const y = g.reduceMean(g.unsqueeze(g.reduceSum(joined, { axes: [1] }), [1]), { axes: [2], keepDims: true });
  return { x, y };
}

const input = Float32Array.from({ length: 24 }, (_, i) => Math.cos(3 * i));

async function valueAndGradient(x: ReturnType<typeof network>["x"], y: ReturnType<typeof network>["y"]) {
  const [dx] = gradients(y.graph.reduceSum(y.graph.mul(y, y)), [x]);
  const program = await compile({ y, dx }, { threads: 1 });
  const result = await program.run({ x: input });
  const copy = { y: [...(result.y as Float32Array)], dx: [...(result.dx as Float32Array)] };
  await program.dispose();
  return copy;
}

/** The nodes that compute an output, from the output back. */
function opsBehind({ origin }: Value): readonly string[] {
  return origin.kind === "node" ? [origin.node.op, ...origin.node.inputs.flatMap(opsBehind)] : [origin.kind];
}

describe("importModel", () => {
  for (const opset of [13, 15, 17, 18, 20, 21]) {
    test(`a file of opset ${opset} gives the graph's values and gradients`, async () => {
      const { x, y } = network();
      const wanted = await valueAndGradient(x, y);
      const model = decodeModel(encodeModel(toOnnx({ y }, { opset, batchAxis: "batch" })).bytes);
      const imported = importModel(model, { sizes: { batch: 2 } });
      const got = await valueAndGradient(imported.inputs.get("x")!, imported.outputs.get("y")!);
      // Older opsets write Gelu and LayerNormalization out: the same formula, rounded in another order.
      for (const [i, value] of wanted.y.entries()) expect(got.y[i]).toBeCloseTo(value, 5);
      for (const [i, value] of wanted.dx.entries()) expect(got.dx[i]).toBeCloseTo(value, 4);
    });
  }

  test("a symbolic axis without a size is named", () => {
    const model = toOnnx({ y: network().y }, { batchAxis: "batch" });
    expect(() => importModel(model)).toThrow(new GraphError("Input x: axis 0 is symbolic (batch); give its size."));
  });

  test("an operator that the graph does not know is named", () => {
    const model = toOnnx({ y: network().y });
    const nodes = model.graph.nodes.map((node, i) => (i === 0 ? { ...node, op: "Unheard" } : node));
    expect(() => importModel({ ...model, graph: { ...model.graph, nodes } })).toThrow(/Unheard is not supported/);
    const text = model.graph.nodes.map((node, i) =>
      i === 0 ? { ...node, op: "StringNormalizer", inputs: ["x"] } : node,
    );
    expect(() => importModel({ ...model, graph: { ...model.graph, nodes: text } })).toThrow(
      /StringNormalizer is not supported/,
    );
  });

  test("nodes may stand in any order, as ONNX Runtime takes them", () => {
    const model = toOnnx({ y: network().y });
    const reversed = importModel({ ...model, graph: { ...model.graph, nodes: [...model.graph.nodes].reverse() } });
    const ops = (imported: ReturnType<typeof importModel>) => opsBehind(imported.outputs.get("y")!);
    expect(ops(reversed)).toEqual(ops(importModel(model)));
  });
});
