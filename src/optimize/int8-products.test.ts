import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Graph, type Outputs, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { profile } from "../profiling/profile.ts";
import { randomStream } from "../random.ts";
import { compile, largestExactInt8 } from "../runtime/index.ts";
import { allocate, elementCount, type TypedArray } from "../tensor/tensor.ts";
import { largestInt8, withInt8Products } from "./int8-products.ts";

type Feeds = Readonly<Record<string, TypedArray>>;
const weights = new Set(["w", "v"]);
const limit = await largestExactInt8();

/** The outputs with products by weights in int8. */
async function inInt8(outputs: Outputs, feeds: Feeds): Promise<Feeds> {
  const { outputs: step, weights: made } = withInt8Products(outputs, weights);
  return run(step, { ...feeds, ...(await run(made, { ...feeds, [largestInt8]: Float32Array.of(limit) })) });
}

async function run(outputs: Outputs, feeds: Feeds): Promise<Feeds> {
  const program = await compile(outputs, { threads: 1 });
  const results = await program.runFresh(feeds);
  await program.dispose();
  return results;
}

function randomFeeds(g: Graph, key: string | number = 0): Record<string, Float32Array> {
  const { normal } = randomStream("int8 products", key);
  return Object.fromEntries(
    g.inputs.map(({ name, shape }) => [name, Float32Array.from({ length: elementCount(shape) }, normal)]),
  );
}

const opsOf = (outputs: Outputs): readonly string[] => reachable(Object.values(outputs)).nodes.map(({ op }) => op);

/** ||a - b|| / ||b|| */
function distance(a: TypedArray, b: TypedArray): number {
  const [got, wanted] = [a as Float32Array, b as Float32Array];
  return Math.hypot(...got.map((x, i) => x - wanted[i]!)) / Math.hypot(...wanted);
}

function layer() {
  const g = new Graph();
  const x = g.input("x", "float32", [6, 48]);
  return { g, x, w: g.input("w", "float32", [32, 48]), bias: g.input("bias", "float32", [32]) };
}

describe("a product by weights in int8", () => {
  test("is the one of float32 up to 8 bits, for each way to write it", async () => {
    const { g, x, w, bias } = layer();
    const v = g.input("v", "float32", [48, 32]);
    const outputs = {
      plain: g.matMul(x, v),
      turned: g.gemm(x, w, undefined, { transB: true }),
      shifted: g.gemm(x, v, bias),
      scaled: g.gemm(x, w, bias, { alpha: 0.5, beta: -3, transB: true }),
      swapped: g.matMul(x, g.swap(w)),
      stack: g.matMul(g.reshape(x, [2, 1, 3, 48]), v),
    };
    expect(opsOf(withInt8Products(outputs, weights).outputs).filter((op) => op === "Gemm" || op === "MatMul")).toEqual(
      [],
    );
    const feeds = randomFeeds(g);
    const [wanted, got] = [await run(outputs, feeds), await inInt8(outputs, feeds)];
    for (const name of Object.keys(outputs)) {
      // A number is rounded by at most half of a 127th (a 64th, where int8 is not exact) of its row's or column's largest, some
      // 2.5 deviations of normal numbers: errors of a uniform distribution, 0.6 % to 1.1 % an operand, and of float32 none.
      expect(distance(got[name]!, wanted[name]!), name).toBeLessThan(0.02);
      expect(distance(got[name]!, wanted[name]!), name).toBeGreaterThan(0.001);
    }
  });

  test("is exact where rows and columns hold nothing but whole shares of their largest", async () => {
    const whole = (low: number, high: number) => fc.integer({ min: low, max: high });
    const property = fc.asyncProperty(
      fc.array(whole(-127, 127), { minLength: 12, maxLength: 12 }),
      fc.array(whole(-limit, limit), { minLength: 12, maxLength: 12 }),
      fc.array(fc.constantFrom(2 ** -20, 1, 2 ** 10), { minLength: 3, maxLength: 3 }),
      async (left, right, scales) => {
        const g = new Graph();
        const [k, m, n] = [5, 3, 3];
        const outputs = { y: g.matMul(g.input("x", "float32", [m, k]), g.input("w", "float32", [k, n])) };
        // The first of each row and column is the largest.
        const x = Float32Array.from({ length: m * k }, (_, i) => {
          const [row, column] = [Math.floor(i / k), i % k];
          return (column === 0 ? 127 : left[row * (k - 1) + column - 1]!) * scales[row]!;
        });
        const w = Float32Array.from({ length: k * n }, (_, i) => {
          const [row, column] = [Math.floor(i / n), i % n];
          return (row === 0 ? -limit : right[(row - 1) * n + column]!) * scales[2 - column]!;
        });
        const y = (await inInt8(outputs, { x, w })).y as Float32Array;
        for (const [i, got] of y.entries()) {
          const [row, column] = [Math.floor(i / n), i % n];
          let wanted = 0;
          for (let j = 0; j < k; j++) wanted += x[row * k + j]! * w[j * n + column]!;
          // Scales are divided by 127 in float32 and multiplied again.
          const size = 127 * limit * k * scales[row]! * scales[2 - column]!;
          expect(Math.abs(got - wanted) / size).toBeLessThan(1e-6);
        }
      },
    );
    await fc.assert(property, { seed: 1, numRuns: 20 });
  });

  test("of a row does not depend on other rows, nor on its own size", async () => {
    const { g, x, w } = layer();
    const outputs = { y: g.gemm(x, w, undefined, { transB: true }) };
    const feeds = randomFeeds(g);
    const { y } = await inInt8(outputs, feeds);
    // Powers of two change no digit.
    const powers = [1, 2 ** 30, 2 ** -90, 0, 8, 1];
    const changed = feeds.x!.map((value, i) => value * powers[Math.floor(i / 48)]!);
    const { y: of } = await inInt8(outputs, { ...feeds, x: changed });
    expect(Array.from(of as Float32Array)).toEqual(
      Array.from(y as Float32Array, (value, i) => value * powers[Math.floor(i / 32)]! + 0),
    );
  });

  test("of weights that are zero is zero", async () => {
    const { g, x, w } = layer();
    const feeds = { ...randomFeeds(g), w: new Float32Array(32 * 48) };
    const { y } = await inInt8({ y: g.gemm(x, w, undefined, { transB: true }) }, feeds);
    expect(Array.from(y as Float32Array).every((value) => value === 0)).toBe(true);
  });

  test("is one kernel of ONNX Runtime, with the cast and the scales of columns", async () => {
    const { g, x, w } = layer();
    const { outputs } = withInt8Products({ y: g.gemm(x, w, undefined, { transB: true }) }, weights);
    const { operators } = await profile(outputs, { threads: 1 }, 1);
    const names = operators.map(({ what }) => what);
    expect(names).toContain("MatMulIntegerToFloat");
    expect(names).not.toContain("Cast");
  });
});

describe("what stays in float32", () => {
  const { g, x, w } = layer();
  const other = g.input("other", "float32", [48, 32]);
  const image = g.input("image", "float32", [1, 3, 8, 8]);
  const v = g.input("v", "float32", [4, 3, 2, 2]);

  test.each<readonly [string, Value]>([
    ["a product of activations", g.matMul(x, other)],
    ["one by weights times activations", g.matMul(x, g.mul(g.swap(w), other))],
    ["products by a stack of weights", g.matMul(g.reshape(x, [2, 3, 48]), g.reshape(w, [2, 48, 16]))],
    ["a sum over rows", g.gemm(x, g.gemm(x, w, undefined, { transB: true }), undefined, { transA: true })],
    ["a convolution", g.conv(image, v)],
    ["a product of weights", g.matMul(w, g.swap(w))],
  ])("%s", (name, value) => {
    const ops = opsOf(withInt8Products({ y: value }, weights).outputs);
    expect(ops.filter((op) => op === "MatMulInteger")).toHaveLength(name === "a sum over rows" ? 1 : 0);
  });
});

test("weights are made once for all products that read them alike", () => {
  const { g, x, w } = layer();
  const y = g.gemm(x, w, undefined, { transB: true });
  const again = g.gemm(g.mul(x, 2), w, undefined, { transB: true });
  const { outputs, weights: made } = withInt8Products({ y: g.add(y, again), back: g.gemm(y, w) }, weights);
  expect(Object.keys(made)).toEqual(["int8.w.1", "int8.w.1.scale", "int8.w.0", "int8.w.0.scale"]);
  const read = reachable(Object.values(outputs)).sources;
  expect([...read].map(({ name }) => name)).not.toContain("w");
  const needed = [...reachable(Object.values(made)).sources].filter(({ origin }) => origin.kind === "input");
  expect(needed.map(({ name }) => name).sort()).toEqual([largestInt8, "w"]);
});

test("ONNX Runtime adds int8 up exactly with the magnitudes that it is asked for", async () => {
  const g = new Graph();
  const [m, k, n] = [40, 300, 24];
  const zero = g.constant({ dtype: "uint8", shape: [], data: Uint8Array.of(128) });
  const sums = g.apply("MatMulInteger", [g.input("a", "uint8", [m, k]), g.input("b", "int8", [k, n]), zero])[0]!;
  const { below } = randomStream("int8");
  const a = allocate("uint8", [m, k]).map(() => below(256));
  const b = allocate("int8", [k, n]).map(() => (below(2) === 0 ? limit : -limit));
  const { sums: got } = await run({ sums }, { a, b });
  for (const [i, sum] of (got as Int32Array).entries()) {
    let wanted = 0;
    for (let j = 0; j < k; j++) wanted += (a[Math.floor(i / n) * k + j]! - 128) * b[j * n + (i % n)]!;
    expect(sum).toBe(wanted);
  }
});
