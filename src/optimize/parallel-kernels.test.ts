import { expect, it } from "vitest";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { withParallelKernels } from "./parallel-kernels.ts";

const operators = (values: readonly Value[]): readonly string[] => reachable(values).nodes.map(({ op }) => op);

/** The rows of x times a weight plus a bias, and the sums of x over its rows. */
function layer(rows: number, outputs: number) {
  const g = new Graph();
  const x = g.input("x", "float32", [rows, outputs]);
  const [weight, bias] = [g.input("w", "float32", [outputs, outputs]), g.input("b", "float32", [outputs])];
  const scaled = g.apply("Gemm", [x, weight, bias], { alpha: 0.5, beta: 3, transA: 0, transB: 1 })[0]!;
  const plain = g.gemm(x, weight, bias);
  const sums = [g.reduceSum(x, { axes: [0] }), g.reduceSum(x, { axes: [0], keepDims: true })];
  return { g, x, weight, values: [scaled, plain, ...sums] };
}

it("adds the bias after the product and sums rows by a product, to the same values", async () => {
  const { values } = layer(512, 128);
  const parallel = withParallelKernels(values);
  expect(operators(parallel).toSorted()).toEqual("Add Add Gemm Gemm MatMul Mul Reshape".split(" "));
  expect(parallel.map(({ shape }) => shape)).toEqual(values.map(({ shape }) => shape));

  // One thread: the program's own passes then leave these values as they are given.
  const all = [...values, ...parallel].map((value, i) => [`y${i}`, value] as const);
  const program = await compile(Object.fromEntries(all), { threads: 1 });
  const { normal } = randomStream("parallel kernels");
  const numbers = (length: number): Float32Array => Float32Array.from({ length }, normal);
  const result = await program.run({ x: numbers(512 * 128), w: numbers(128 * 128), b: numbers(128) });
  await program.dispose();
  for (const i of values.keys()) {
    const [before, after] = [result[`y${i}`] as Float32Array, result[`y${i + values.length}`] as Float32Array];
    // Sums of up to 512 terms of order 1, in float32: an error of some 1e-7 of each partial sum, of order 20.
    const largest = before.reduce((max, number, j) => Math.max(max, Math.abs(number - after[j]!)), 0);
    expect(largest).toBeLessThan(1e-4);
  }
});

it("leaves small results alone, and what is not a bias or a sum over rows", () => {
  const { values } = layer(16, 128);
  expect(withParallelKernels(values)).toEqual(values);
  const { g, x, weight } = layer(512, 128);
  const matrix = g.input("c", "float32", [512, 128]);
  const others = [
    g.gemm(x, weight, matrix),
    g.gemm(x, weight),
    g.reduceSum(x, { axes: [1] }),
    g.reduceSum(x),
    g.reduceSum(g.reshape(x, [512, 16, 8]), { axes: [0] }),
  ];
  expect(withParallelKernels(others)).toEqual(others);
});
