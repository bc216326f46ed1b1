import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { trainableWeights } from "../../models/encoder.ts";
import type { TypedArray } from "../../onnx/tensor.ts";
import { compile } from "../../runtime/index.ts";
import { evaluated } from "../../testing/evaluate-values.ts";
import { randomImages, tinyEncoder } from "../../testing/tiny.ts";
import { flops, productsOf } from "../flops.ts";
import { Graph, type Value } from "../index.ts";
import { withFewQueries } from "./few-queries.ts";
import { leaner } from "./index.ts";
import { withoutUnreadRows } from "./unread.ts";

function expectClose(actual: TypedArray, expected: TypedArray): void {
  expect(actual.length).toBe(expected.length);
  // float32 sums of some hundred terms around 1, in another order.
  for (const [i, value] of expected.entries()) expect(Number(actual[i])).toBeCloseTo(Number(value), 4);
}

const work = (values: readonly Value[]): number => productsOf(values).reduce((sum, product) => sum + flops(product), 0);

interface Sizes {
  readonly images: number;
  readonly tokens: number;
  readonly heads: number;
  readonly size: number;
  readonly queries: number;
}

/** Attention of some queries to all tokens, keys and values from one layer or from two. */
function attention({ images, tokens, heads, size, queries }: Sizes, together: boolean, withBias: boolean) {
  const g = new Graph();
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
    : [layer("k", width), layer("v", width)];
  const [keys, values] = pieces.map((piece) =>
    g.reshape(g.transpose(g.reshape(piece, [images, tokens, heads, size]), [0, 2, 1, 3]), [-1, tokens, size]),
  ) as [Value, Value];
  const q = g.input("q", "float32", [images * heads, queries, size]);
  const mask = g.input("mask", "float32", [queries, tokens]);
  const scores = g.add(g.mul(g.matMul(q, g.swap(keys)), 1 / Math.sqrt(size)), mask);
  return { keys, scores, mixed: g.matMul(g.softmax(scores), values) };
}

describe("withFewQueries", () => {
  it("changes no value, and takes no more operations", async () => {
    const sizes = fc.record({
      images: fc.integer({ min: 1, max: 3 }),
      tokens: fc.integer({ min: 2, max: 9 }),
      heads: fc.integer({ min: 1, max: 3 }),
      size: fc.integer({ min: 1, max: 6 }),
      queries: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(sizes, fc.boolean(), fc.boolean(), async (size, together, withBias) => {
        const { scores, mixed } = attention(size, together, withBias);
        const values = [scores, mixed];
        const fewer = withFewQueries(values);
        expect(fewer.map(({ shape }) => shape)).toEqual(values.map(({ shape }) => shape));
        expect(work(fewer)).toBeLessThanOrEqual(work(values));
        const results = await evaluated([...fewer, ...values]);
        for (const i of values.keys()) expectClose(results[i]!, results[i + 2]!);
      }),
      { numRuns: 60 },
    );
  });

  it.each([true, false])("turns to keys and values no more where queries are few, from one layer: %s", (together) => {
    const { mixed } = attention({ images: 2, tokens: 50, heads: 3, size: 8, queries: 1 }, together, true);
    const rows = productsOf(withFewQueries([mixed])).map(({ m }) => m);
    expect(Math.max(...rows)).toBeLessThan(50);
    expect(Math.max(...productsOf([mixed]).map(({ m }) => m))).toBe(100);
  });

  it("leaves many queries, keys that others read, and shares that may not add up to 1 as they are", () => {
    const many = attention({ images: 2, tokens: 5, heads: 2, size: 4, queries: 5 }, true, true);
    expect(withFewQueries([many.mixed])).toEqual([many.mixed]);
    const few = attention({ images: 2, tokens: 50, heads: 2, size: 4, queries: 1 }, true, true);
    expect(withFewQueries([few.scores, few.keys])).toEqual([few.scores, few.keys]);
    const { graph: g } = few.scores;
    const { origin } = few.mixed;
    const values = origin.kind === "node" ? origin.node.inputs[1]! : few.mixed;
    const weighted = g.matMul(g.sigmoid(g.input("shares", "float32", [4, 1, 50])), values);
    expect(withFewQueries([weighted])).toEqual([weighted]);
  });

  it("spares a vision transformer the keys and values of its last block, backwards too", async () => {
    const encoder = tinyEncoder({ depth: 2 });
    const pixels = new Graph().input("pixels", "float32", [3, 3, 8, 8]);
    const weights = trainableWeights(pixels.graph, encoder.parameters);
    const [plain] = withoutUnreadRows([encoder.embedNormalized(pixels, (name) => weights.get(name)!)]);
    const lean = leaner(plain!);

    const [images, tokens, width, heads] = [3, 5, 16, encoder.architecture.heads];
    // By weights: queries, keys and values of all tokens become those of one, and a product of it for keys and for values.
    const byWeights = 2 * images * (3 * tokens - 3 - 2) * width ** 2;
    // Scores and mixing: rows as wide as all heads.
    const between = 2 * images * 2 * tokens * width * (heads - 1);
    expect(work([plain!]) - work([lean])).toBe(byWeights - between);

    const slope = (value: Value): Value => gradients(value.graph.reduceSum(value.graph.mul(value, value)), [pixels])[0];
    // Backwards each product by weights costs the same again, and each product of two activations twice.
    expect(work([slope(plain!)]) - work([slope(lean)])).toBe(2 * byWeights - 3 * between);
    const program = await compile({ plain: plain!, lean, dPlain: slope(plain!), dLean: slope(lean) }, { threads: 1 });
    const feeds = Object.fromEntries([...encoder.parameters].map(([name, { data }]) => [name, data]));
    const result = await program.run({ ...feeds, pixels: randomImages(3) });
    expectClose(result.lean, result.plain);
    expectClose(result.dLean, result.dPlain);
    await program.dispose();
  });
});
