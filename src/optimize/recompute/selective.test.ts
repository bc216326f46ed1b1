import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { Graph, type Value } from "../../graph/index.ts";
import { reachable } from "../../graph/reachable.ts";
import { compile } from "../../runtime/index.ts";
import { peakBytes } from "../liveness.ts";
import { passesOf } from "./backward-pass.ts";
import { selectivelyRecomputed } from "./selective.ts";

const [rows, width] = [6, 8];

/** Perceptrons beside a stream that norms read, as in a transformer's block. */
function blocks(depth: number) {
  const g = new Graph();
  const scale = g.constant({ dtype: "float32", shape: [width], data: new Float32Array(width).fill(1.5) });
  const weights: Value[] = [];
  const weight = (name: string, shape: readonly number[]): Value => {
    const input = g.input(name, "float32", shape);
    weights.push(input);
    return input;
  };
  const norms: Value[] = [];
  const activations: Value[] = [];
  let x = g.gemm(g.input("x", "float32", [rows, width]), weight("embed", [width, width]));
  for (let i = 0; i < depth; i++) {
    const normed = g.layerNormalization(x, scale);
    const hidden = g.gelu(g.gemm(normed, weight(`up${i}`, [4 * width, width]), undefined, { transB: true }));
    norms.push(normed);
    activations.push(hidden);
    x = g.add(x, g.gemm(hidden, weight(`down${i}`, [width, 4 * width]), undefined, { transB: true }));
  }
  const loss = g.reduceSum(g.mul(x, x));
  const derivatives = gradients(loss, weights);
  const outputs = { loss, ...Object.fromEntries(derivatives.map((value, i) => [`d${i}`, value])) };
  return { outputs, loss, norms, activations };
}

async function run(outputs: Readonly<Record<string, Value>>) {
  const program = await compile(outputs, { threads: 1 });
  const feeds = program.inputs.map(({ name, shape }) => {
    const size = shape.reduce((a, b) => a * b, 1);
    return [name, Float32Array.from({ length: size }, (_, i) => Math.sin(1 + i + name.length))] as const;
  });
  const results = await program.runFresh(Object.fromEntries(feeds));
  await program.dispose();
  return results;
}

test("what GELU and norms gave is not kept for the backward pass, what they were given is", () => {
  const { outputs, loss, norms, activations } = blocks(4);
  const before = passesOf(outputs, loss).read;
  expect([...norms, ...activations].every((value) => before.has(value))).toBe(true);
  const after = passesOf(selectivelyRecomputed(outputs, loss), loss).read;
  expect([...norms, ...activations].some((value) => after.has(value))).toBe(false);
  const given = [...norms, ...activations].map(({ origin }) => origin.kind === "node" && origin.node.inputs[0]!);
  expect(given.every((value) => value && after.has(value))).toBe(true);
});

test("takes less memory, and no product more", () => {
  const { outputs, loss } = blocks(6);
  const again = selectivelyRecomputed(outputs, loss);
  expect(peakBytes(Object.values(again), true)).toBeLessThan(0.75 * peakBytes(Object.values(outputs), true));
  const products = (values: Readonly<Record<string, Value>>): number =>
    reachable(Object.values(values)).nodes.filter(({ op }) => op === "Gemm").length;
  expect(products(again)).toBe(products(outputs));
});

test("gives the same loss and gradients", async () => {
  const { outputs, loss } = blocks(3);
  const [wanted, got] = [await run(outputs), await run(selectivelyRecomputed(outputs, loss))];
  expect(Object.keys(got)).toEqual(Object.keys(wanted));
  for (const [name, array] of Object.entries(wanted)) {
    const largest = Math.max(...[...(array as Float32Array)].map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    // GELU is one operator in one program and shares its error function in the other: float32's rounding, over a few layers.
    for (const [i, x] of (array as Float32Array).entries())
      expect(Math.abs(Number(got[name]![i]) - x)).toBeLessThan(1e-5 * largest);
  }
});

test("what is made of several values is kept, lest a whole stream is computed again", () => {
  const g = new Graph();
  const gamma = g.input("gamma", "float32", [width]);
  const stream: Value[] = [];
  let x = g.gemm(g.input("x", "float32", [rows, width]), g.input("embed", "float32", [width, width]));
  for (let i = 0; i < 4; i++) {
    x = g.add(x, g.mul(g.gemm(g.gelu(x), g.input(`w${i}`, "float32", [width, width])), gamma));
    stream.push(x);
  }
  const loss = g.reduceSum(g.mul(x, x));
  const outputs = { loss, dgamma: gradients(loss, [gamma])[0] };
  const { read } = passesOf(selectivelyRecomputed(outputs, loss), loss);
  expect(stream.slice(0, -1).every((value) => read.has(value))).toBe(true);
});

test("a backward pass that reads nothing of the kind stays as it is", () => {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 4]);
  const loss = g.reduceSum(g.exp(g.matMul(x, g.input("w", "float32", [4, 3]))));
  const outputs = { dx: gradients(loss, [x])[0] };
  expect(selectivelyRecomputed(outputs, loss).dx).toBe(outputs.dx);
});
