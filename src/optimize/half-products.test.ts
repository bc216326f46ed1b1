import { describe, expect, test } from "vitest";
import { Graph, type Value } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { withHalfProducts } from "./half-products.ts";

const graph = new Graph();
const a = graph.input("a", "float32", [5, 48]);
const b = graph.input("b", "float32", [48, 7]);
const bias = graph.input("bias", "float32", [7]);
const image = graph.input("image", "float32", [2, 4, 6, 6]);
const kernel = graph.input("kernel", "float32", [6, 2, 3, 3]);
const shift = graph.input("shift", "float32", [6]);
const cases: Readonly<Record<string, Value>> = {
  "a product": graph.matMul(a, b),
  "a product of transposed matrices, scaled and shifted": graph.gemm(
    graph.transpose(b),
    a,
    graph.reshape(bias, [7, 1]),
    {
      alpha: 0.5,
      beta: -2,
      transB: true,
    },
  ),
  "a convolution in two groups": graph.conv(image, kernel, shift, { strides: [2, 2], pads: [1, 1, 1, 1], group: 2 }),
};

async function run(y: Value, scales: Readonly<Record<string, number>> = {}): Promise<Float32Array> {
  const program = await compile({ y }, { threads: 1 });
  const feeds = Object.fromEntries(
    program.inputs.map(({ name, shape }) => {
      const { normal } = randomStream("half products", name);
      const length = shape.reduce((n, size) => n * size, 1);
      return [name, Float32Array.from({ length }, () => (scales[name] ?? 1) * normal())];
    }),
  );
  const result = (await program.run(feeds)).y as Float32Array;
  await program.dispose();
  return result;
}

/** ||half - full|| / ||full|| */
function distance(half: Float32Array, full: Float32Array): number {
  const norm = (x: Float32Array): number => Math.hypot(...x);
  return norm(half.map((value, i) => value - full[i]!)) / norm(full);
}

describe.each(Object.keys(cases))("%s", (name) => {
  const full = cases[name]!;
  const [half] = withHalfProducts([full], "float32");

  // Operands and result are rounded to 11 bits, an error of at most 2^-11 = 5e-4 each; to less than float32's were
  // nothing rounded.
  test("is the one of float32, but for float16's rounding", async () => {
    const error = distance(await run(half!), await run(full));
    expect(error).toBeGreaterThan(1e-5);
    expect(error).toBeLessThan(1e-3);
  });

  test.each([1e-12, 1e12])("neither underflows nor overflows with operands times %s", async (scale) => {
    const scales = { a: scale, image: scale, bias: scale, shift: scale };
    expect(distance(await run(half!, scales), await run(full, scales))).toBeLessThan(1e-3);
  });
});

test("computes in float16 and gives float32", () => {
  const [half] = withHalfProducts([cases["a product"]!], "float16");
  expect(half!.dtype).toBe("float32");
  const products = reachable([half!]).nodes.filter(({ op }) => op === "MatMul");
  expect(products.map(({ outputs }) => outputs[0]!.dtype)).toEqual(["float16"]);
});

test("an operand of two products is cast once", () => {
  const halves = withHalfProducts([graph.matMul(a, b), graph.matMul(a, graph.mul(b, 2))], "float16");
  const casts = reachable(halves).nodes.filter(({ op, attributes }) => op === "Cast" && attributes.to === "float16");
  expect(casts).toHaveLength(3);
});

test("a product of zeros is zero; a sum too long for float16, and products of other types, stay", async () => {
  const zeros = await run(withHalfProducts([cases["a product"]!], "float32")[0]!, { a: 0 });
  expect([...zeros].map(Math.abs)).toEqual(Array(35).fill(0));

  const long = graph.input("long", "float32", [1, 65505]);
  const longSum = graph.gemm(long, long, undefined, { transB: true });
  const double = graph.input("double", "float64", [3, 3]);
  const kept = [longSum, graph.matMul(double, double)];
  expect(withHalfProducts(kept, "float16")).toEqual(kept);
});
