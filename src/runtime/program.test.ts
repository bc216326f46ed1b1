import { Tensor } from "onnxruntime-common";
import { describe, expect, test } from "vitest";
import { Graph, GraphError } from "../graph/index.ts";
import { compile, discard, fitsHeap, RuntimeError } from "./index.ts";
import { compilerFor, largestHeapBlock } from "./program.ts";

/** y = 2 x + b, with a third input that nothing uses. */
function affine() {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 3]);
  const b = g.input("b", "float32", [3]);
  const unused = g.input("unused", "float32", [1000]);
  return { g, x, b, unused, y: g.add(g.mul(x, 2), b) };
}

const x = Float32Array.of(1, 2, 3, 4, 5, 6);
const b = Float32Array.of(10, 20, 30);

describe("a compiled program", () => {
  test("computes its outputs from inputs by name, and asks for no others", async () => {
    const { y } = affine();
    const program = await compile({ y });
    expect(program.inputs.map(({ name, dtype, shape }) => [name, dtype, shape])).toEqual([
      ["x", "float32", [2, 3]],
      ["b", "float32", [3]],
    ]);
    const { y: result } = await program.run({ x, b });
    expect(result).toEqual(Float32Array.of(12, 24, 36, 18, 30, 42));
  });

  test("ignores feeds it does not know, so that one record of parameters serves several programs", async () => {
    const program = await compile({ y: affine().y });
    await expect(program.run({ x, b, other: new Float64Array(7) })).resolves.toBeDefined();
  });

  test("leaves its inputs as they were", async () => {
    const program = await compile({ y: affine().y });
    const feeds = { x: x.slice(), b: b.slice() };
    await program.run(feeds);
    expect(feeds).toEqual({ x, b });
  });

  test("writes every run's outputs into the same arrays", async () => {
    const program = await compile({ y: affine().y });
    const first = await program.run({ x, b });
    const kept = first.y.slice();
    const second = await program.run({ x: new Float32Array(6), b });
    expect(second.y).toBe(first.y);
    expect(program.outputs.y).toBe(first.y);
    expect(first.y).toEqual(Float32Array.of(10, 20, 30, 10, 20, 30));
    expect(kept).toEqual(Float32Array.of(12, 24, 36, 18, 30, 42));
  });

  test("releases the cores after a run when told to: its threads wait busily otherwise", async () => {
    const g = new Graph();
    const y = g.matMul(g.input("a", "float32", [512, 256]), g.input("b", "float32", [256, 512]));
    const program = await compile({ y }, { threads: 2, releaseCores: true });
    const feeds = { a: new Float32Array(512 * 256), b: new Float32Array(256 * 512) };
    const busy: number[] = [];
    for (let i = 0; i < 5; i++) {
      await program.run(feeds);
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 50));
      busy.push(process.cpuUsage(before).user / 1000);
    }
    // Milliseconds of 50: some 30 where threads wait busily, below 1 where they sleep; the least, since others may compute here.
    expect(Math.min(...busy)).toBeLessThan(10);
  });

  test("can give its outputs in new arrays, which can be given back", async () => {
    const program = await compile({ y: affine().y });
    const first = await program.runFresh({ x, b });
    const second = await program.runFresh({ x: new Float32Array(6), b });
    expect(first.y).toEqual(Float32Array.of(12, 24, 36, 18, 30, 42));
    expect(second.y).toEqual(Float32Array.of(10, 20, 30, 10, 20, 30));
    discard([first.y, first.y]);
    expect(first.y).toHaveLength(0);
    expect(second.y).toHaveLength(6);
    await expect(program.runFresh({ x })).rejects.toThrow(new RuntimeError("Input b: float32[3] is missing."));
    await program.dispose();
    await expect(program.runFresh({ x, b })).rejects.toThrow(new RuntimeError("This program was disposed of."));
  });

  test("leaves no copies of what it wrote behind: onnxruntime-node makes one of each result", async () => {
    const g = new Graph();
    const x = g.input("x", "float32", [2 ** 18]);
    const program = await compile({ y: g.add(x, 1) });
    const feeds = { x: new Float32Array(2 ** 18) };
    await program.run(feeds);
    const { arrayBuffers } = process.memoryUsage();
    for (let i = 0; i < 8; i++) await program.run(feeds);
    await new Promise(setImmediate);
    // One result is 1 MiB: less of them than one would be, for what else the test's process does meanwhile.
    expect(process.memoryUsage().arrayBuffers - arrayBuffers).toBeLessThan(2 ** 20);
    await program.dispose();
  });

  test("gives back memory at once, whatever the garbage collector does", () => {
    const bytes = 2 ** 26;
    const arrays = [new Float32Array(bytes / 8), new Float32Array(bytes / 8)];
    const before = process.memoryUsage().arrayBuffers;
    discard(arrays);
    expect(before - process.memoryUsage().arrayBuffers).toBeGreaterThan(0.9 * bytes);
  });

  test("fits the heap up to the largest block that comes out of it, whatever its inputs", () => {
    const g = new Graph();
    const large = g.input("large", "float32", [largestHeapBlock / 4 + 1]);
    const max = g.slice(large, { starts: [0], ends: [largestHeapBlock / 4], axes: [0] });
    expect(fitsHeap([g.relu(max)])).toBe(true);
    expect(fitsHeap([g.reduceSum(g.relu(large))])).toBe(false);
  });

  test("gives the same result with any number of threads", async () => {
    const { g, x: input, y } = affine();
    const z = g.matMul(y, g.transpose(g.exp(input)));
    const one = await compile({ z }, { threads: 1 });
    const two = await compile({ z }, { threads: 2 });
    const feeds = { x, b };
    expect((await one.run(feeds)).z).toEqual((await two.run(feeds)).z);
  });

  test("gives integers as BigInt64Array and truth values as bytes", async () => {
    const { g, x: input } = affine();
    const program = await compile({
      large: g.greater(input, 3),
      where: g.argMax(input),
      half: g.cast(input, "float64"),
    });
    expect(await program.run({ x })).toEqual({
      large: Uint8Array.of(0, 0, 0, 1, 1, 1),
      where: BigInt64Array.of(2n, 2n),
      half: Float64Array.of(1, 2, 3, 4, 5, 6),
    });
  });

  test("takes integers and truth values", async () => {
    const g = new Graph();
    const rows = g.input("rows", "int64", [2]);
    const flags = g.input("flags", "bool", [2]);
    const table = g.constant({ dtype: "float32", shape: [3], data: Float32Array.of(5, 6, 7) });
    const program = await compile({ y: g.where(flags, g.gather(table, rows), 0) });
    const { y } = await program.run({ rows: BigInt64Array.of(2n, -3n), flags: Uint8Array.of(1, 0) });
    expect(y).toEqual(Float32Array.of(7, 0));
  });

  test("can give an input, a constant, and one value under two names", async () => {
    const { g, x: input, y } = affine();
    const three = g.scalar(3);
    const program = await compile({ same: input, three, y, again: y });
    const result = await program.run({ x, b });
    expect(result).toEqual({ same: x, three: Float32Array.of(3), y: result.y, again: result.y });
    expect(result.again).not.toBe(result.y);
  });

  test("can be of constants alone, and of tensors without elements", async () => {
    const g = new Graph();
    const none = g.input("none", "float32", [0, 3]);
    const program = await compile({ exp: g.exp(none), total: g.reduceSum(none), one: g.add(g.scalar(1), 0) });
    const result = await program.run({ none: new Float32Array(0) });
    expect(result).toEqual({ exp: new Float32Array(0), total: Float32Array.of(0), one: Float32Array.of(1) });
  });

  test("can give some of an operator's outputs", async () => {
    const g = new Graph();
    const parts = g.split(g.input("x", "float32", [6]), [1, 2, 3]);
    const program = await compile({ middle: parts[1]! });
    expect(await program.run({ x })).toEqual({ middle: Float32Array.of(2, 3) });
    const [, , inverseStd] = g.apply("LayerNormalization", [parts[2]!, g.input("scale", "float32", [3])], {
      epsilon: 0,
    });
    const statistics = await compile({ inverseStd: inverseStd! });
    const result = await statistics.run({ x, scale: b });
    expect(result.inverseStd[0]).toBeCloseTo(Math.sqrt(1.5), 6);
  });

  test("keeps names apart: outputs may be called like inner values, constants and unused inputs", async () => {
    const { g, y } = affine();
    const inner = g.neg(y);
    const program = await compile({ [y.name]: inner, c0: g.exp(y), unused: y });
    const result = await program.run({ x, b: new Float32Array(3) });
    expect(result.unused).toEqual(Float32Array.of(2, 4, 6, 8, 10, 12));
    expect(result[y.name]).toEqual(Float32Array.of(-2, -4, -6, -8, -10, -12));
  });
});

describe("what a program refuses", () => {
  const run = async (feeds: Record<string, Float32Array | Float64Array>) => {
    const program = await compile({ y: affine().y });
    return program.run(feeds);
  };

  test("a missing input", async () => {
    await expect(run({ x })).rejects.toThrow(new RuntimeError("Input b: float32[3] is missing."));
  });

  test("another element type", async () => {
    await expect(run({ x, b: Float64Array.of(1, 2, 3) })).rejects.toThrow(
      new RuntimeError("Input b: float32[3] takes a Float32Array, got a Float64Array."),
    );
  });

  test("another number of elements", async () => {
    await expect(run({ x: b, b })).rejects.toThrow(new RuntimeError("Input x: float32[2, 3] takes 6 elements, got 3."));
  });

  test("to run once it is disposed of; disposing twice is harmless", async () => {
    const program = await compile({ y: affine().y });
    await program.dispose();
    await program.dispose();
    await expect(program.run({ x, b })).rejects.toThrow(new RuntimeError("This program was disposed of."));
  });

  test("to be compiled of nothing, of two graphs, or with a name for both an input and an output", async () => {
    const { y } = affine();
    await expect(compile({})).rejects.toThrow(new GraphError("A model needs at least one output."));
    await expect(compile({ y, z: affine().y })).rejects.toThrow(
      new GraphError("Output z belongs to another graph than the first output."),
    );
    await expect(compile({ x: y })).rejects.toThrow(new GraphError("x is the name of an input and of an output."));
  });

  test("what ONNX Runtime has no kernel for, saying so", async () => {
    const g = new Graph();
    const erf = g.erf(g.input("x", "float64", [3]));
    await expect(compile({ y: erf })).rejects.toThrow(RuntimeError);
    await expect(compile({ y: erf })).rejects.toThrow(/ONNX Runtime cannot run this graph on cpu: .*Erf/);
  });

  test("a device whose libraries are not there, saying how to get them", async () => {
    const compiling = compile({ y: affine().y }, { device: "cuda" });
    const outcome = await compiling.then(
      (program) => program.dispose(),
      (error: unknown) => error,
    );
    // On a machine that has them there is nothing to say.
    if (outcome !== undefined) expect(String(outcome)).toMatch(/on cuda: .*\n.*onnxruntime-node\/script\/install\.js/);
  });

  test("another failure of such a device, without that", async () => {
    const full = compilerFor({
      Tensor,
      defaults: () => ({}),
      createSession: async () => Promise.reject(new Error("CUDA out of memory")),
      runInto: async () => {},
    });
    const compiling = full({ y: affine().y }, { device: "cuda" });
    await expect(compiling).rejects.toThrow(/^ONNX Runtime cannot run this graph on cuda: CUDA out of memory$/);
  });
});
