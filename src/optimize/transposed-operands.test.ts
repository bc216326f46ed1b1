import { describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { productsOf } from "../graph/flops.ts";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { kernelEvents } from "../profiling/profile.ts";
import { modelOf, sessionOptions } from "../runtime/program.ts";
import { evaluated } from "../testing/evaluate-values.ts";
import { withTransposedOperands } from "./transposed-operands.ts";

const [rows, narrow, wide] = [256, 16, 48];

/** The gradient of a layer's weights. */
const weightGradients: Record<string, (g: Graph, x: Value, outputs: number) => Value> = {
  "weights [inputs, outputs]": (g, x, outputs) => {
    const w = g.input("w", "float32", [x.shape[1]!, outputs]);
    return gradientOf(g.gemm(x, w, undefined, { alpha: 0.5 }), w);
  },
  "weights [outputs, inputs]": (g, x, outputs) => {
    const w = g.input("w", "float32", [outputs, x.shape[1]!]);
    return gradientOf(g.gemm(x, w, undefined, { alpha: 0.5, transB: true }), w);
  },
  "a stack of rows": (g, x, outputs) => {
    const w = g.input("w", "float32", [x.shape[1]!, outputs]);
    return gradientOf(g.matMul(g.reshape(x, [4, x.shape[0]! / 4, -1]), w), w);
  },
};

function gradientOf(y: Value, w: Value): Value {
  const { graph: g } = y;
  return gradients(g.reduceSum(g.mul(y, g.input("dy", "float32", y.shape))), [w])[0]!;
}

/** Shapes of what is transposed, in the order of the nodes, without axes of size 1. */
const transposed = (values: readonly Value[]): readonly string[] =>
  reachable(values)
    .nodes.filter(({ op }) => op === "Transpose")
    .map(({ inputs: [x] }) => x!.shape.filter((size) => size > 1).join("x"));

const hasTransposedFirst = (values: readonly Value[]): boolean => productsOf(values).some(({ transA }) => transA);

describe.each(Object.keys(weightGradients))("a gradient of %s", (kind) => {
  test.each([
    [narrow, wide],
    [wide, narrow],
  ])("of %i inputs and %i outputs reads the narrower operand, transposed beforehand", async (inputs, outputs) => {
    const g = new Graph();
    const value = weightGradients[kind]!(g, g.input("x", "float32", [rows, inputs]), outputs);
    expect(hasTransposedFirst([value])).toBe(true);
    const passed = withTransposedOperands([value]);
    expect(passed[0]!.shape).toEqual(value.shape);
    expect(hasTransposedFirst(passed)).toBe(false);
    expect(transposed(passed)[0]).toBe(`${rows}x${narrow}`);

    const [before, after] = [await evaluated([value]), await evaluated(passed)];
    // Sums of 256 products of order 1 in float32, rounded in another order.
    for (const [i, number] of before[0]!.entries()) expect(after[0]![i]).toBeCloseTo(Number(number), 4);
  });
});

test("the wider operand is transposed where the other way would move the result, and that is larger", () => {
  const g = new Graph();
  const [a, b] = [g.input("a", "float32", [128, 300]), g.input("b", "float32", [128, 200])];
  expect(transposed(withTransposedOperands([g.gemm(a, b, undefined, { transA: true })]))).toEqual(["128x300"]);
});

test("products of few terms, of other layouts and with a bias stay", () => {
  const g = new Graph();
  const matrix = (name: string, terms = 256): Value => g.input(name, "float32", [terms, 256]);
  const [a, b, bias] = [matrix("a"), matrix("b"), g.input("bias", "float32", [256])];
  const values = [
    g.gemm(matrix("few", 127), matrix("fewer", 127), undefined, { transA: true }),
    g.gemm(a, b),
    g.gemm(a, b, undefined, { transB: true }),
    g.gemm(a, b, undefined, { transA: true, transB: true }),
    g.gemm(a, b, bias, { transA: true }),
    g.matMul(a, b),
  ];
  for (const value of values) expect(withTransposedOperands([value])[0]).toBe(value);
});

test("ONNX Runtime leaves the transpositions where they are, on any number of threads", async () => {
  for (const threads of [1, 2]) {
    const g = new Graph();
    const value = weightGradients["weights [outputs, inputs]"]!(g, g.input("x", "float32", [rows, narrow]), wide);
    const options = { threads };
    const events = await kernelEvents(modelOf({ value }, options), sessionOptions(options), 1);
    const operators = events.map(({ args }) => args.op_name).filter((op) => op === "Transpose" || op === "Gemm");
    expect(operators).toEqual(["Transpose", "Gemm", "Transpose"]);
  }
});

test("a GPU's products read a transposed operand where it lies", () => {
  for (const device of ["cuda", "webgpu"] as const) {
    const g = new Graph();
    const value = weightGradients["weights [outputs, inputs]"]!(g, g.input("x", "float32", [rows, narrow]), wide);
    expect(modelOf({ value }, { device }).graph.nodes.filter(({ op }) => op === "Transpose")).toEqual([]);
  }
});
