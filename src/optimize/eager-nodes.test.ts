import { expect, test } from "vitest";
import { ascentGraph } from "../attacks/ascent.ts";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { readersOf } from "../graph/readers.ts";
import { trainableWeights } from "../models/encoder.ts";
import { kernelEvents } from "../profiling/profile.ts";
import { modelOf, sessionOptions } from "../runtime/program.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { peakOf } from "./buffers.ts";
import { withEarlyNodes } from "./eager-nodes.ts";
import { executionOrder, fileOrder } from "./order.ts";
import { optimizedProgram } from "./pipeline.ts";

/** dy times a derivative that is made of values of the forward pass; `forward` lies between them and dy. */
function pullback(derivativeOf: (u: Value, q: Value) => Value) {
  const g = new Graph();
  const square = (name: string): Value => g.input(name, "float32", [8, 8]);
  const u = g.tanh(g.matMul(square("x"), square("a")));
  const q = g.exp(u);
  const derivative = derivativeOf(u, q);
  const forward = g.matMul(g.mul(u, q), square("b"));
  const dx = g.mul(g.matMul(forward, square("c")), derivative);
  return { g, u, q, derivative, forward, dx };
}

/** Whether the derivative runs before the forward pass goes on. */
function isEarly(outputs: readonly Value[], { derivative, forward }: ReturnType<typeof pullback>): boolean {
  const { nodes } = reachable(outputs);
  const file = withEarlyNodes(nodes, readersOf(nodes));
  expect(file.toSorted((a, b) => a.id - b.id)).toEqual(nodes);
  const made = new Set<Value>();
  for (const { inputs, outputs: results } of file) {
    expect(inputs.every((input) => input.origin.kind !== "node" || made.has(input))).toBe(true);
    for (const result of results) made.add(result);
  }
  const ran = executionOrder(file).flatMap((node) => node.outputs);
  return ran.indexOf(derivative) < ran.indexOf(forward);
}

const ofTwo = (u: Value, q: Value): Value => u.graph.add(q, u.graph.mul(u, u));

test("what is made of two values of its size runs before the forward pass goes on", () => {
  const found = pullback(ofTwo);
  expect(isEarly([found.dx], found)).toBe(true);
});

test("but not where one of them waits for another reader all the same", () => {
  const found = pullback(ofTwo);
  const { g, u, dx } = found;
  expect(isEarly([g.add(dx, u)], found)).toBe(false);
});

test("nor where two read it", () => {
  const found = pullback(ofTwo);
  const { g, derivative, dx } = found;
  expect(isEarly([g.add(dx, derivative)], found)).toBe(false);
});

test("what is made of one value of its size runs when it is needed", () => {
  const found = pullback((u) => u.graph.mul(u, u));
  expect(isEarly([found.dx], found)).toBe(false);
});

test("a file is listed early only where less is kept then", () => {
  const g = new Graph();
  const x = g.input("x", "float32", [32, 8]);
  const gated = (h: Value, i: number): Value => {
    const [a, b] = g.split(g.matMul(h, g.input(`a${i}`, "float32", [8, 32])), [16, 16], 1);
    const hidden = g.concat([g.mul(g.gelu(a!), b!), a!], 1);
    return g.add(h, g.matMul(hidden, g.input(`b${i}`, "float32", [32, 8])));
  };
  const h = [0, 1, 2, 3].reduce(gated, x);
  const values = optimizedProgram(gradients(g.reduceSum(g.mul(h, h)), [x]), {}, ["sharedErf", "scaledProducts"]);
  const { nodes } = reachable(values);
  const peak = (file: typeof nodes): number => peakOf(executionOrder(file), new Set(values), true);
  const early = peak(withEarlyNodes(nodes, readersOf(nodes)));
  expect(peak(nodes)).toBeLessThan(early);
  expect(peak(fileOrder(nodes))).toBeLessThan(early);
});

test("ONNX Runtime computes GELU's derivative block by block in the forward pass of an attack step", async () => {
  const encoder = tinyEncoder({ depth: 4, imageSize: 16 });
  const { next } = ascentGraph({ batch: 64, imageSize: 16, norm: "linf", momentum: false }, (pixels) => {
    const weights = trainableWeights(pixels.graph, encoder.parameters);
    const embedding = encoder.embed(pixels, (name) => weights.get(name)!);
    return { loss: pixels.graph.reduceSum(pixels.graph.mul(embedding, embedding), { axes: [1] }) };
  });
  const options = { threads: 2 };
  const ran = (await kernelEvents(modelOf({ next: next! }, options), sessionOptions(options), 1)).map(
    ({ args }) => args.op_name,
  );
  // The error function is of the forward pass, too, the exponential of the derivative alone.
  const both = ran.filter((operator) => operator === "Erf" || operator === "Exp");
  const blocks = [0, 1, 2, 3].map((block) => both.slice(2 * block, 2 * block + 2).sort());
  expect(both).toHaveLength(8);
  expect(blocks).toEqual(Array.from({ length: 4 }, () => ["Erf", "Exp"]));
});
