import { expect, it } from "vitest";
import { productsOf } from "../graph/flops.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { frozenWeights } from "../models/encoder.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { evaluated } from "../testing/evaluate-values.ts";
import { randomTensor, tinyEncoder } from "../testing/tiny.ts";
import { withSplitProducts } from "./split-products.ts";

const operators = (values: readonly Value[]): readonly string[] => reachable(values).nodes.map(({ op }) => op);

function splitProduct(weight: (g: Graph) => Value): readonly Value[] {
  const g = new Graph();
  const x = g.input("x", "float32", [5, 4]);
  const bias = g.constant(randomTensor(randomStream("bias"), "bias", [7]));
  return g.split(g.gemm(x, weight(g), bias, { transB: true }), [2, 4, 1], 1);
}

it("makes one product a piece, of the same values", async () => {
  const pieces = splitProduct((g) => g.constant(randomTensor(randomStream("weight"), "weight", [7, 4])));
  const apart = withSplitProducts(pieces);
  expect(operators(apart)).toEqual(["Gemm", "Gemm", "Gemm"]);
  expect(apart.map(({ shape }) => shape)).toEqual(pieces.map(({ shape }) => shape));

  const all = [...pieces, ...apart].map((value, i) => [`y${i}`, value] as const);
  const program = await compile(Object.fromEntries(all), { threads: 1 });
  const result = await program.run({ x: Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)) });
  for (const i of pieces.keys()) {
    // Sums of four products of numbers below 1, in float32.
    for (const [j, value] of (result[`y${i}`] as Float32Array).entries())
      expect(result[`y${i + 3}`]![j]).toBeCloseTo(value, 6);
  }
  await program.dispose();
});

it("leaves out the pieces that nobody reads, of whichever weights", async () => {
  const [first, , last] = splitProduct((g) => g.input("w", "float32", [7, 4]));
  const apart = withSplitProducts([first!, last!]);
  expect(productsOf(apart).map(({ n }) => n)).toEqual([2, 1]);
  const [a, b, ...wanted] = await evaluated([...apart, first!, last!]);
  // Sums of four products of numbers below 1, in float32.
  for (const [i, piece] of [a!, b!].entries())
    for (const [j, value] of piece.entries()) expect(Number(value)).toBeCloseTo(Number(wanted[i]![j]), 6);
});

it("leaves weights alone that are fed, where all pieces are read, and a product that is also read as a whole", () => {
  const fed = splitProduct((g) => g.input("w", "float32", [7, 4]));
  expect(withSplitProducts(fed)).toEqual(fed);
  const constant = splitProduct((g) => g.constant(randomTensor(randomStream("weight"), "weight", [7, 4])));
  const { origin } = constant[0]!;
  const whole = origin.kind === "node" ? origin.node.inputs[0]! : undefined;
  const both = [...constant, whole!];
  expect(withSplitProducts(both)).toEqual(both);
});

it("takes the queries, keys and values of a frozen transformer apart", () => {
  const encoder = tinyEncoder({ depth: 2 });
  const pixels = new Graph().input("pixels", "float32", [1, 3, 8, 8]);
  const embedding = encoder.embedNormalized(pixels, frozenWeights(pixels.graph, encoder.parameters));
  expect(operators([embedding]).filter((op) => op === "Split")).toHaveLength(2);
  expect(operators(withSplitProducts([embedding]))).not.toContain("Split");
});
