import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { encodeModel } from "../onnx/encode.ts";
import { toOnnx } from "./export.ts";
import { Graph, type Value } from "./index.ts";
import { executionOrder, fileOrder } from "./order.ts";
import { reachable } from "./reachable.ts";

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

test("a file lists what nobody reads last, the latest first, and everything behind what it reads", () => {
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

test("ONNX Runtime runs the nodes in that order", async () => {
  const { outputs } = perceptron();
  const model = toOnnx(outputs);
  const folder = mkdtempSync(join(tmpdir(), "lore-order-"));
  try {
    const session = await InferenceSession.create(encodeModel(model).bytes, {
      graphOptimizationLevel: "disabled",
      intraOpNumThreads: 1,
      enableProfiling: true,
      profileFilePrefix: join(folder, "profile"),
    });
    const feeds = Object.fromEntries(
      model.graph.inputs.map(({ name, shape }) => {
        const sizes = shape as readonly number[];
        return [name, new Tensor("float32", new Float32Array(sizes[0]! * sizes[1]!).fill(0.1), sizes)];
      }),
    );
    await session.run(feeds);
    session.endProfiling();
    await session.release();
    const expected = executionOrder(fileOrder(reachable(Object.values(outputs)).nodes));
    expect(operators(folder)).toEqual(expected.map(({ op }) => op));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Operators in the order in which a profiled session ran them. */
function operators(folder: string): readonly string[] {
  interface Event {
    readonly name: string;
    readonly ts: number;
    readonly args: { readonly op_name?: string };
  }
  const events = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), "utf8")) as readonly Event[];
  return events
    .filter(({ name }) => name.endsWith("_kernel_time"))
    .sort((a, b) => a.ts - b.ts)
    .map(({ args }) => args.op_name!);
}
