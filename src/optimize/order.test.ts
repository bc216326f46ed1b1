import type { InferenceSession } from "onnxruntime-node";
import { expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { toOnnx } from "../graph/export.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { gradientName, primalGraph } from "../objectives/primal.ts";
import type { OnnxModel } from "../onnx/model.ts";
import { kernelEvents } from "../profiling/profile.ts";
import { modelOf, sessionOptions } from "../runtime/program.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { executionOrder, fileOrder } from "./order.ts";

/** A perceptron's loss and gradients: weights' gradients are read by nobody, the activations' lead from one to the next. */
function perceptron() {
  const g = new Graph();
  const [a, b, c] = ["a", "b", "c"].map((name) => g.input(name, "float32", [4, 4])) as [Value, Value, Value];
  const hidden = g.tanh(g.matMul(g.tanh(g.matMul(g.input("x", "float32", [2, 4]), a)), b));
  const out = g.tanh(g.matMul(hidden, c));
  const loss = g.reduceSum(g.mul(out, out));
  const [da, db, dc, cotangent] = gradients(loss, [a, b, c, hidden]);
  return { outputs: { loss, da, db, dc }, cotangent };
}

test("a file lists what nobody reads last, the first layer's first, and everything behind what it reads", () => {
  const { loss, da, db, dc } = perceptron().outputs;
  const nodes = fileOrder(reachable([loss, da, db, dc]).nodes);
  const made = new Set<Value>();
  for (const { inputs, outputs } of nodes) {
    for (const input of inputs) if (input.origin.kind === "node") expect(made.has(input)).toBe(true);
    for (const output of outputs) made.add(output);
  }
  expect(nodes.slice(-4).map(({ outputs }) => outputs[0]!.id)).toEqual([da, db, dc, loss].map(({ id }) => id));
});

test("the last layer's gradient is computed before the cotangent goes on to the layers before", () => {
  const { outputs, cotangent } = perceptron();
  const order = executionOrder(fileOrder(reachable(Object.values(outputs)).nodes)).flatMap((node) => node.outputs);
  const { loss, da, db, dc } = outputs;
  const wanted = [loss, dc, cotangent, db, da];
  expect(order.filter((value) => wanted.includes(value)).map(({ id }) => id)).toEqual(wanted.map(({ id }) => id));
});

test("a gradient that was made anew keeps its turn", () => {
  const { outputs, cotangent } = perceptron();
  const { loss, da, db, dc } = outputs;
  const anew = dc!.graph.mul(dc!, 2);
  const order = executionOrder(fileOrder(reachable([loss, da!, db!, anew]).nodes)).flatMap((node) => node.outputs);
  const wanted = [loss, anew, cotangent, db, da];
  expect(order.filter((value) => wanted.includes(value)).map(({ id }) => id)).toEqual(wanted.map((value) => value!.id));
});

test("ONNX Runtime runs the nodes in that order", async () => {
  const { outputs } = perceptron();
  const ran = await kernels(toOnnx(outputs, { order: fileOrder }), {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
  });
  const expected = executionOrder(fileOrder(reachable(Object.values(outputs)).nodes));
  expect(ran.map(({ operator }) => operator)).toEqual(expected.map(({ op }) => op));
});

test("and keeps to it where graph passes, ours and its own, made nodes anew", async () => {
  const encoder = tinyEncoder({ depth: 4, imageSize: 16 });
  const { loss: _, advDistance: __, ...derivatives } = primalGraph(encoder, 256, false);
  const options = { threads: 2 };
  const ran = (await kernels(modelOf(derivatives, options), sessionOptions(options))).map(({ node }) => node);
  const placesOf = (block: number): readonly number[] =>
    Object.keys(derivatives)
      .filter((name) => name.startsWith(gradientName(`blocks.${block}.`)))
      .map((name) => ran.indexOf(name));
  for (const block of [3, 2, 1, 0]) {
    expect(placesOf(block)).toHaveLength(12);
    expect(placesOf(block)).not.toContain(-1);
  }
  // A block's derivatives all before those of the block below it: no cotangent waits.
  for (const block of [3, 2, 1]) expect(Math.max(...placesOf(block))).toBeLessThan(Math.min(...placesOf(block - 1)));
});

/** Nodes that a profiled session ran, in that order. */
async function kernels(model: OnnxModel, options: InferenceSession.SessionOptions) {
  const events = await kernelEvents(model, options, 1);
  return events.map(({ name, args }) => ({ node: name.replace("_kernel_time", ""), operator: args.op_name }));
}
