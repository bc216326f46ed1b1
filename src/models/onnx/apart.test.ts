import { expect, test } from "vitest";
import { Graph } from "../../graph/index.ts";
import { encodeModel, type OnnxModel } from "../../onnx/index.ts";
import { compile } from "../../runtime/index.ts";
import { f32, i64, inOnnxRuntime, int, ints, smallModel } from "../../testing/small-model.ts";
import { randomImages } from "../../testing/tiny.ts";
import { frozenWeights } from "../encoder.ts";
import { openOnnxEncoder } from "./open.ts";

const side = 4;
const none = { mean: [0, 0, 0], std: [1, 1, 1] } as const;
const weight = f32(
  Array.from({ length: 15 }, (_, i) => Math.sin(i)),
  [3, 5],
);
const inputs = { x: ["batch", 3, side, side] as const };
const held = { w: weight, one: i64([1, 3]), tokens: i64([1, -1, 3]), rows: i64([-1, 48]), every: i64([0, -1]) };

const opened = (model: OnnxModel) =>
  openOnnxEncoder(
    { path: "", bytes: encodeModel(model).bytes, model, quantized: false, rewritten: false, external: [] },
    { name: "small", imageSize: side, normalization: none, output: "y" },
  );

const pooled = [
  ["GlobalAveragePool", "x", "p"],
  ["MatMul", "r w", "y"],
] as const;

test.each<readonly [string, OnnxModel, boolean]>([
  ["a reshape to one image", smallModel({ nodes: [...pooled, ["Reshape", "p one", "r"]], inputs, held }), true],
  [
    "a reshape that keeps the images",
    smallModel({ nodes: [...pooled, ["Reshape", "p every", "r"]], inputs, held }),
    false,
  ],
  [
    "a reshape that makes all images' pixels tokens of one, which attend to each other",
    smallModel({
      nodes: [
        ["Transpose", "x", "last", { perm: ints(0, 2, 3, 1) }],
        ["Reshape", "last tokens", "t"],
        ["Transpose", "t", "k", { perm: ints(0, 2, 1) }],
        ["MatMul", "t k", "scores"],
        ["Softmax", "scores", "weights"],
        ["MatMul", "weights t", "mixed"],
        ["MatMul", "mixed square", "projected"],
        ["Reshape", "projected rows", "y"],
      ],
      inputs,
      held: { ...held, square: f32([1, 2, 3, 4, 5, 6, 7, 8, 10], [3, 3]) },
    }),
    true,
  ],
  [
    "statistics of the whole batch",
    smallModel({
      nodes: [
        ["ReduceMax", "x", "largest", { keepdims: int(0) }],
        ["Div", "x largest", "scaled"],
        ["GlobalAveragePool", "scaled", "p"],
        ["Reshape", "p every", "r"],
        ["MatMul", "r w", "y"],
      ],
      inputs,
      held,
    }),
    true,
  ],
])("%s: embeddings are those of images one by one", async (_, model, oneAtATime) => {
  const encoder = opened(model);
  expect(encoder.oneAtATime).toBe(oneAtATime);
  const pixels = randomImages(3, { size: side });
  const g = new Graph();
  const images = g.input("pixels", "float32", [3, 3, side, side]);
  const program = await compile({ y: encoder.embed(images, frozenWeights(g, encoder.parameters)) }, { threads: 1 });
  const { y } = await program.run({ pixels });
  await program.dispose();
  const size = 3 * side * side;
  const single = [];
  for (const i of [0, 1, 2]) {
    const x = f32([...pixels.subarray(i * size, (i + 1) * size)], [1, 3, side, side]);
    single.push(...(await inOnnxRuntime(model, { x })).y!);
  }
  expect(y.length).toBe(single.length);
  for (const [i, value] of single.entries()) expect(y[i]).toBeCloseTo(value, 4);
});

test.each([
  ["by its attribute", 15, "n m v", { training_mode: int(1) }],
  ["by its outputs, before opset 14", 9, "n m v sm sv", {}],
] as const)("BatchNormalization in training mode is refused, said %s", (_, opset, outputs, attributes) => {
  const model = smallModel({
    opset,
    nodes: [
      ["BatchNormalization", "x s b mean var", outputs, attributes],
      ["GlobalAveragePool", "n", "p"],
      ["Reshape", "p every", "r"],
      ["MatMul", "r w", "y"],
    ],
    inputs,
    held: { ...held, s: f32([1, 1, 1]), b: f32([0, 0, 0]), mean: f32([0, 0, 0]), var: f32([1, 1, 1]) },
  });
  expect(() => opened(model)).toThrow(/training mode.*evaluation mode/);
});
