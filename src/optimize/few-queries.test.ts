import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { productFlops, productsOf } from "../graph/flops.ts";
import { Graph, type Value } from "../graph/index.ts";
import { trainableWeights } from "../models/encoder.ts";
import { compile } from "../runtime/index.ts";
import type { TypedArray } from "../tensor/tensor.ts";
import { evaluated } from "../testing/evaluate-values.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { withFewQueries } from "./few-queries.ts";
import { optimizedModel } from "./pipeline.ts";
import { withoutUnreadRows } from "./unread-rows.ts";

function expectClose(actual: TypedArray, expected: TypedArray): void {
  expect(actual.length).toBe(expected.length);
  // float32 sums of some hundred terms around 1, in another order.
  for (const [i, value] of expected.entries()) expect(Number(actual[i])).toBeCloseTo(Number(value), 4);
}

interface Sizes {
  readonly images: number;
  readonly tokens: number;
  readonly heads: number;
  readonly size: number;
  readonly queries: number;
}

/** Keys and values of all heads, from one layer or from two, as stacks of matrices or, by rank, a grid of them. */
function keysAndValues(g: Graph, { images, tokens, heads, size }: Sizes, together: boolean, withBias = true, rank = 3) {
  const width = heads * size;
  const x = g.input("x", "float32", [images * tokens, width]);
  const layer = (name: string, outputs: number): Value =>
    g.gemm(
      x,
      g.input(`${name} weight`, "float32", [outputs, width]),
      withBias ? g.input(`${name} bias`, "float32", [outputs]) : undefined,
      { transB: true },
    );
  const pieces = together
    ? g.split(layer("both", 2 * width), [width, width], 1)
    : ["k", "v"].map((name) => layer(name, width));
  const shape = rank === 3 ? [images * heads, tokens, size] : [images, heads, tokens, size];
  return pieces.map((piece) =>
    g.reshape(g.transpose(g.reshape(piece, [images, tokens, heads, size]), [0, 2, 1, 3]), shape),
  ) as [Value, Value];
}

/** Attention of some queries to all tokens; the last is masked. */
function attention(sizes: Sizes, together: boolean, withBias = true, rank = 3) {
  const { images, tokens, heads, size, queries } = sizes;
  const g = new Graph();
  const [keys, values] = keysAndValues(g, sizes, together, withBias, rank);
  const q = g.input("q", "float32", [...keys.shape.slice(0, -2), queries, size]);
  const seen = Float32Array.from({ length: tokens }, (_, i) => (i > 0 && i === tokens - 1 ? -Infinity : 0));
  const mask = g.constant({ dtype: "float32", shape: [tokens], data: seen });
  const scores = g.mul(g.matMul(q, g.swap(keys)), 1 / Math.sqrt(size));
  return { g, keys, values, scores, mixed: g.matMul(g.softmax(g.add(scores, mask)), values), images, heads };
}

describe("withFewQueries", () => {
  it("changes no value nor derivative, and takes no more operations", async () => {
    const sizes = fc.record({
      images: fc.integer({ min: 1, max: 3 }),
      tokens: fc.integer({ min: 1, max: 9 }),
      heads: fc.integer({ min: 1, max: 3 }),
      size: fc.integer({ min: 1, max: 6 }),
      queries: fc.integer({ min: 1, max: 4 }),
    });
    const rank = fc.constantFrom(3, 4);
    await fc.assert(
      fc.asyncProperty(sizes, fc.boolean(), fc.boolean(), rank, async (size, together, withBias, rank) => {
        const { g, scores, mixed } = attention(size, together, withBias, rank);
        const values = [scores, mixed];
        const fewer = withFewQueries(values);
        expect(fewer.map(({ shape }) => shape)).toEqual(values.map(({ shape }) => shape));
        expect(productFlops([fewer[1]!])).toBeLessThanOrEqual(productFlops([mixed]));
        const slopes = [fewer[1]!, mixed].flatMap((y) => gradients(g.reduceSum(g.mul(y, y)), g.inputs));
        const results = await evaluated([...fewer, ...values, ...slopes]);
        for (const i of [0, 1]) expectClose(results[i]!, results[i + 2]!);
        const half = slopes.length / 2;
        for (let i = 4; i < 4 + half; i++) expectClose(results[i]!, results[i + half]!);
      }),
      { numRuns: 60 },
    );
  });

  it.each([true, false])("computes keys and values no more where queries are few; of one layer: %s", (together) => {
    const { mixed } = attention({ images: 2, tokens: 50, heads: 3, size: 8, queries: 1 }, together);
    const rows = productsOf(withFewQueries([mixed])).map(({ m }) => m);
    expect(Math.max(...rows)).toBeLessThan(50);
    expect(Math.max(...productsOf([mixed]).map(({ m }) => m))).toBe(100);
  });

  const few = { images: 2, tokens: 50, heads: 2, size: 4, queries: 1 };

  it("leaves many queries, keys that others read, and rows that may not add up to 1 as they are", () => {
    const many = attention({ ...few, tokens: 5, queries: 5 }, true);
    expect(withFewQueries([many.mixed])).toEqual([many.mixed]);
    const { g, scores, keys, values } = attention(few, true);
    expect(withFewQueries([scores, keys])).toEqual([scores, keys]);
    const shares = g.input("shares", "float32", [4, 1, 50]);
    for (const rows of [g.sigmoid(shares), g.softmax(shares, 0)]) {
      const weighted = g.matMul(rows, values);
      expect(withFewQueries([weighted])).toEqual([weighted]);
    }
  });

  it("leaves products alone whose operands are not stacks of as many matrices", () => {
    for (const [images, stack] of [
      [1, [2, 2]],
      [2, [1, 2]],
      [2, []],
    ] as const) {
      const g = new Graph();
      const [keys] = keysAndValues(g, { ...few, images }, false, true, 4);
      const scores = g.matMul(g.input("q", "float32", [...stack, 1, few.size]), g.swap(keys));
      expect(withFewQueries([scores])).toEqual([scores]);
    }
  });

  it("leaves layers alone that scale, add one number as bias or hold their weights the other way round, and no tokens at all", () => {
    const shaped = (x: Value, shape: readonly number[]): Value =>
      x.graph.apply("Reshape", [x], { shape, allowzero: 1 })[0]!;
    const scoresOf = (tokens: number, layer: (x: Value, weight: Value) => Value): Value => {
      const g = new Graph();
      const x = g.input("x", "float32", [2 * tokens, 8]);
      const made = layer(x, g.input("weight", "float32", [8, 8]));
      const keys = g.transpose(shaped(made, [2, tokens, 2, 4]), [0, 2, 1, 3]);
      return g.matMul(g.input("q", "float32", [2, 2, 1, 4]), g.swap(keys));
    };
    const bias = (x: Value): Value => x.graph.input("bias", "float32", [1]);
    const layers: readonly ((x: Value, weight: Value) => Value)[] = [
      (x, weight) => x.graph.gemm(x, weight, undefined, { transB: true, alpha: 2 }),
      (x, weight) => x.graph.gemm(x, weight, bias(x), { transB: true }),
      (x, weight) => x.graph.gemm(x, weight),
    ];
    for (const layer of layers) {
      const scores = scoresOf(50, layer);
      expect(withFewQueries([scores])).toEqual([scores]);
    }
    const plain = (x: Value, weight: Value): Value => x.graph.gemm(x, weight, undefined, { transB: true });
    const [none, some] = [scoresOf(0, plain), scoresOf(50, plain)];
    expect(withFewQueries([none])).toEqual([none]);
    expect(withFewQueries([some])).not.toEqual([some]);
  });

  it("spares a vision transformer the keys and values of its last block, backwards too", async () => {
    const encoder = tinyEncoder({ depth: 2 });
    const pixels = new Graph().input("pixels", "float32", [3, 3, 8, 8]);
    const weights = trainableWeights(pixels.graph, encoder.parameters);
    const [plain] = withoutUnreadRows([encoder.embedNormalized(pixels, (name) => weights.get(name)!)]);
    const lean = optimizedModel(plain!);

    const [images, tokens, width, heads] = [3, 5, 16, encoder.architecture.heads];
    // By weights: queries, keys and values of all tokens become the query of one, and a product of it for keys and for values.
    const byWeights = 2 * images * (3 * tokens - 3) * width ** 2;
    // Scores and mixing: rows as wide as all heads.
    const between = 2 * images * 2 * tokens * width * (heads - 1);
    expect(productFlops([plain!]) - productFlops([lean])).toBe(byWeights - between);

    const slope = (value: Value): Value => gradients(value.graph.reduceSum(value.graph.mul(value, value)), [pixels])[0];
    // Backwards each product by weights costs the same again, and each product of two activations twice.
    expect(productFlops([slope(plain!)]) - productFlops([slope(lean)])).toBe(2 * byWeights - 3 * between);
    const program = await compile({ plain: plain!, lean, dPlain: slope(plain!), dLean: slope(lean) }, { threads: 1 });
    const feeds = Object.fromEntries([...encoder.parameters].map(([name, { data }]) => [name, data]));
    const result = await program.run({ ...feeds, pixels: randomImages(3) });
    expectClose(result.lean, result.plain);
    expectClose(result.dLean, result.dPlain);
    await program.dispose();
  });
});
