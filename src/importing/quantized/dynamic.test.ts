import { expect, test } from "vitest";
import type { OnnxModel } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import {
  f32,
  i8,
  imported,
  inOnnxRuntime,
  int,
  type SmallNode,
  smallModel,
  subgraph,
} from "../../testing/small-model.ts";
import { importModel } from "../import-model.ts";

const random = randomStream("dynamic quantisation");
const numbers = (count: number) => Array.from({ length: count }, () => 2 * random.uniform() - 1);
/** Seven-bit weights. On CPUs without VNNI, ONNX Runtime's products of uint8 and int8 saturate beyond that. */
const held = {
  w: i8(
    Array.from({ length: 12 }, () => random.below(127) - 63),
    [4, 3],
  ),
  ws: f32(0.01),
  wc: f32([0.01, 0.02, 0.03]),
  b: f32([100, -2000, 3000]),
};

/** A product of dynamically quantised activations, as a float. */
const product: readonly SmallNode[] = [
  ["DynamicQuantizeLinear", "x", "xq xs xz"],
  ["MatMulInteger", "xq w xz", "m"],
  ["Cast", "m", "d", { to: int(1) }],
];
/** Applies the scales to the product. */
const scaled: readonly SmallNode[] = [...product, ["Mul", "xs ws", "k"], ["Mul", "d k", "y"]];
const float: SmallNode = ["Cast", "xq", "y2", { to: int(1) }];

function modelOf(nodes: readonly SmallNode[], outputs: readonly string[] = ["y"]): OnnxModel {
  return smallModel({ nodes, inputs: { x: [5, 4] }, outputs, held });
}

/** Uses of the activations' scale. If it is not applied once to each product, it keeps ONNX Runtime's value. */
const models: Readonly<Record<string, OnnxModel>> = {
  "the scale once, with that of the weights": modelOf(scaled),
  "the scale once, alone": modelOf([...product, ["Mul", "xs d", "y"]]),
  "the scale of the weights, then that of the activations": modelOf([
    ...product,
    ["Mul", "d wc", "e"],
    ["Mul", "e xs", "y"],
  ]),
  "two products": modelOf(
    [
      ...scaled,
      ["MatMulInteger", "xq w xz", "m2"],
      ["Cast", "m2", "d2", { to: int(1) }],
      ["Mul", "xs wc", "k2"],
      ["Mul", "k2 d2", "y2"],
    ],
    ["y", "y2"],
  ),
  "a product that is not scaled beside one that is": modelOf(
    [...scaled, ["MatMulInteger", "xq w xz", "m2"], ["Cast", "m2", "y2", { to: int(1) }]],
    ["y", "y2"],
  ),
  "integers that are read, too": modelOf([...scaled, float], ["y", "y2"]),
  "the scale that is given, too": modelOf(scaled, ["y", "xs"]),
  "the product of scales that is given, too": modelOf(scaled, ["y", "k"]),
  "the scale in another product": modelOf([...scaled, ["Mul", "xs x", "y2"]], ["y", "y2"]),
  "the scale twice": modelOf([...scaled.slice(0, -1), ["Mul", "d k", "e"], ["Mul", "e xs", "y"]]),
  "a sum before the scale": modelOf([...product, ["Add", "d b", "e"], ["Mul", "xs ws", "k"], ["Mul", "e k", "y"]]),
  "a function before the scale": modelOf([
    ...product,
    ["Mul", "d ws", "e"],
    ["Sigmoid", "e", "f"],
    ["Mul", "f xs", "y"],
  ]),
  "division by the scale": modelOf([...product, ["Div", "d xs", "y"]]),
  "the scale of other activations": modelOf(
    [
      ...product,
      ["Mul", "x x", "x2"],
      ["DynamicQuantizeLinear", "x2", "aq as az"],
      ["Mul", "as ws", "k"],
      ["Mul", "d k", "y"],
      ["DequantizeLinear", "aq as az", "y2"],
    ],
    ["y", "y2"],
  ),
  "a product of two scaled products": modelOf(
    [...scaled, ["MatMulInteger", "xq w xz", "m2"], ["Cast", "m2", "d2", { to: int(1) }], ["Mul", "d2 y", "z"]],
    ["z"],
  ),
  "no zero point": modelOf([
    ["DynamicQuantizeLinear", "x", "xq xs xz"],
    ["MatMulInteger", "xq w", "m"],
    ["Cast", "m", "d", { to: int(1) }],
    ["Mul", "d xs", "y"],
  ]),
  "a scale within a branch": smallModel({
    nodes: [
      ...scaled.slice(0, -1),
      ["Greater", "ws zero", "yes"],
      [
        "If",
        "yes",
        "y",
        {
          then_branch: subgraph({ nodes: [["Mul", "d k", "a"]], inputs: {}, outputs: ["a"] }),
          else_branch: subgraph({ nodes: [["Identity", "d", "a2"]], inputs: {}, outputs: ["a2"] }),
        },
      ],
    ],
    inputs: { x: [5, 4] },
    held: { ...held, zero: f32(0) },
  }),
  "MatMulIntegerToFloat with a scale that is made of that of the activations": modelOf([
    ["DynamicQuantizeLinear", "x", "xq xs xz"],
    ["Mul", "xs ws", "k"],
    ["MatMulIntegerToFloat", "xq w xs k xz", "y", {}, "com.microsoft"],
  ]),
};

test.each(Object.entries(models))("%s: ONNX Runtime's numbers", async (_, model) => {
  const feeds = { x: f32(numbers(20), [5, 4]) };
  const [wanted, got] = [await inOnnxRuntime(model, feeds), await imported(model, feeds)];
  for (const { name } of model.graph.outputs) {
    // Four activations are rounded to 255 steps, and the result sums as many products: 1 % of the largest.
    const tolerance = 0.02 * Math.max(...wanted[name]!.map(Math.abs));
    expect(got[name]!.length).toBe(wanted[name]!.length);
    for (const [i, value] of wanted[name]!.entries()) expect(Math.abs(got[name]![i]! - value)).toBeLessThan(tolerance);
  }
});

test("values between the nodes are what the file says of them", async () => {
  const x = Float32Array.from(numbers(20));
  const [{ outputs }, wanted] = [
    importModel(modelOf(scaled), { outputs: ["xs", "d"] }),
    await inOnnxRuntime(modelOf(scaled, ["xs", "d"]), { x: f32([...x], [5, 4]) }),
  ];
  const program = await compile(Object.fromEntries(outputs), { threads: 1 });
  const { xs, d } = await program.run({ x });
  await program.dispose();
  expect(xs![0]).toBeCloseTo(wanted.xs![0]!, 6);
  const tolerance = 0.02 * Math.max(...wanted.d!.map(Math.abs));
  for (const [i, value] of wanted.d!.entries()) expect(Math.abs(Number(d![i]) - value)).toBeLessThan(tolerance);
});
