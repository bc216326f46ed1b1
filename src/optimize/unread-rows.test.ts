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
import { withoutUnreadRows } from "./unread-rows.ts";

function expectClose(actual: TypedArray, expected: TypedArray): void {
  expect(actual.length).toBe(expected.length);
  // Rows of a product may be summed in another order once there are fewer of them.
  for (const [i, value] of expected.entries()) expect(Number(actual[i])).toBeCloseTo(Number(value), 4);
}

/** One random operator that keeps the shape [N, L, W]. */
const layer = fc.constantFrom<(x: Value, name: string) => Value>(
  (x) => x.graph.gelu(x),
  (x, name) => x.graph.add(x, x.graph.input(name, "float32", [x.shape[2]!])),
  (x, name) => x.graph.mul(x, x.graph.input(name, "float32", [1, x.shape[1]!, x.shape[2]!])),
  (x, name) => x.graph.add(x, x.graph.input(name, "float32", [x.shape[0]!, 1, 1])),
  (x, name) => x.graph.sub(x.graph.input(name, "float32", [...x.shape]), x),
  (x) => x.graph.softmax(x),
  (x, name) => x.graph.layerNormalization(x, x.graph.input(name, "float32", [x.shape[2]!])),
  (x, name) => {
    const [, , width] = x.shape as readonly [number, number, number];
    const rows = x.graph.reshape(x, [-1, width]);
    const product = x.graph.gemm(rows, x.graph.input(name, "float32", [width, width]), undefined, { transB: true });
    return x.graph.reshape(x.graph.add(rows, product), x.shape);
  },
  (x, name) => x.graph.matMul(x, x.graph.input(name, "float32", [x.shape[2]!, x.shape[2]!])),
  (x, name) => x.graph.matMul(x.graph.input(name, "float32", [x.shape[0]!, x.shape[1]!, x.shape[1]!]), x),
  (x) => {
    const turned = x.graph.transpose(x, [1, 0, 2]);
    return x.graph.transpose(x.graph.tanh(turned), [1, 0, 2]);
  },
  (x) => x.graph.reduceMean(x.graph.unsqueeze(x, [3]), { axes: [3] }),
);

describe("withoutUnreadRows", () => {
  it("changes no value, whatever lies before a slice of whichever axis", async () => {
    const shapes = fc.tuple(...[2, 3, 2].map((min) => fc.integer({ min, max: 4 })));
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat({ max: 2 }), fc.array(layer, { maxLength: 6 }), async (shape, axis, layers) => {
        const x = new Graph().input("x", "float32", shape);
        const last = layers.reduce((value, apply, i) => apply(value, `w${i}`), x);
        const sliced = x.graph.slice(last, { starts: [1], ends: [2], axes: [axis] });
        const [narrow] = withoutUnreadRows([sliced]);
        expect(narrow!.shape).toEqual(sliced.shape);
        expect(productFlops([narrow!])).toBeLessThanOrEqual(productFlops([sliced]));
        const [actual, expected] = await evaluated([narrow!, sliced]);
        expectClose(actual!, expected!);
      }),
      { numRuns: 60 },
    );
  });

  it("leaves out the rows of a product that nobody reads", () => {
    const g = new Graph();
    const [x, w] = [g.input("x", "float32", [2 * 5, 3]), g.input("w", "float32", [4, 3])];
    const tokens = g.reshape(g.gelu(g.gemm(x, w, undefined, { transB: true })), [2, 5, 4]);
    const first = g.slice(tokens, { starts: [0], ends: [1], axes: [1] });
    expect(productsOf(withoutUnreadRows([first]))).toMatchObject([{ m: 2, k: 3, n: 4 }]);
    expect(productsOf([first])).toMatchObject([{ m: 10, k: 3, n: 4 }]);
  });

  it("computes a value once that one reader needs in part and another as a whole", () => {
    const g = new Graph();
    const x = g.input("x", "float32", [2, 5, 3]);
    const y = g.matMul(x, g.input("w", "float32", [3, 4]));
    const first = g.slice(y, { starts: [0], ends: [1], axes: [1] });
    const rest = g.slice(y, { starts: [1], ends: [5], axes: [1] });
    for (const values of [
      [first, rest],
      [first, y],
    ])
      expect(productFlops(withoutUnreadRows(values))).toBe(productFlops([y]));
  });

  it("spares a vision transformer all of its last block but attention over all tokens, backwards too", async () => {
    const encoder = tinyEncoder({ depth: 2 });
    const pixels = new Graph().input("pixels", "float32", [3, 3, 8, 8]);
    const weights = trainableWeights(pixels.graph, encoder.parameters);
    const plain = encoder.embedNormalized(pixels, (name) => weights.get(name)!);
    const [narrow] = withoutUnreadRows([plain]);

    const [images, tokens, width] = [3, 5, 16];
    // Skipped for the other tokens: the projection (width^2), the perceptron (8 width^2), scores and mixing (2 tokens width).
    const spared = 2 * images * (tokens - 1) * (9 * width ** 2 + 2 * tokens * width);
    expect(productFlops([plain]) - productFlops([narrow!])).toBe(spared);

    const slope = (value: Value): Value => gradients(value.graph.reduceSum(value.graph.mul(value, value)), [pixels])[0];
    // Backwards each product by weights costs the same again, and each product of two activations twice.
    expect(productFlops([slope(plain)]) - productFlops([slope(narrow!)])).toBe(
      2 * spared + 2 * images * (tokens - 1) * 2 * tokens * width,
    );

    const program = await compile(
      { plain, narrow: narrow!, dPlain: slope(plain), dNarrow: slope(narrow!) },
      { threads: 1 },
    );
    const feeds = Object.fromEntries([...encoder.parameters].map(([name, { data }]) => [name, data]));
    const result = await program.run({ ...feeds, pixels: randomImages(3) });
    expectClose(result.narrow, result.plain);
    expectClose(result.dNarrow, result.dPlain);
    await program.dispose();
  });
});
