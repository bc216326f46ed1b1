import { expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { product, range } from "../../graph/shapes.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { compile } from "../../runtime/index.ts";
import { f32, i8, imported, inOnnxRuntime, int, ints, smallModel, u8 } from "../../testing/small-model.ts";
import { importModel } from "../import-model.ts";

interface Pool {
  readonly size: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads?: readonly number[];
  readonly dilations?: readonly number[];
  readonly countPads?: boolean;
}

/** With `ceil_mode`, windows that would begin behind the image, along one axis or both, beside ones that hang over it. */
const pools: readonly Pool[] = [
  { size: [4], kernel: [1], strides: [2] },
  { size: [5], kernel: [1], strides: [3] },
  { size: [4], kernel: [2], strides: [2], pads: [0, 1] },
  { size: [4], kernel: [2], strides: [3], pads: [1, 1] },
  { size: [4], kernel: [2], strides: [3], pads: [1, 1], countPads: true },
  { size: [5], kernel: [2], strides: [3], pads: [1, 1], dilations: [2], countPads: true },
  { size: [7], kernel: [3], strides: [2] },
  { size: [4, 4], kernel: [1, 1], strides: [2, 2] },
  { size: [4, 6], kernel: [1, 3], strides: [2, 2] },
  { size: [4, 6], kernel: [1, 3], strides: [2, 2], countPads: true },
  { size: [6, 4], kernel: [2, 2], strides: [4, 3], pads: [1, 1, 1, 1], countPads: true },
  { size: [5, 9], kernel: [1, 2], strides: [3, 4], dilations: [1, 3] },
];

function modelOf(op: string, pool: Pool, more = {}, outputs = "y"): OnnxModel {
  const { size, kernel, strides, pads, dilations, countPads } = pool;
  const attributes = {
    ...{ kernel_shape: ints(...kernel), strides: ints(...strides), ceil_mode: int(1) },
    ...(pads && { pads: ints(...pads) }),
    ...(dilations && { dilations: ints(...dilations) }),
    ...(op === "AveragePool" && countPads && { count_include_pad: int(1) }),
    ...more,
  };
  const places = { name: "places", dtype: "int64", shape: [], unranked: true } as const;
  return smallModel({
    opset: 19,
    nodes: [[op, "x", outputs, attributes]],
    inputs: { x: [2, 2, ...size] },
    outputs: outputs === "y" ? ["y"] : ["y", places],
  });
}

/** No two are equal, and none is within a step of another. */
const pixels = (size: readonly number[]) =>
  f32(
    range(4 * product(size)).map((i) => ((i * 7) % 31) / 8 + i / 512),
    [2, 2, ...size],
  );

const cases = pools.flatMap((pool) =>
  ["MaxPool", "AveragePool"].map((op) => [op, JSON.stringify(pool), pool] as const),
);

test.each(cases)("%s %s: values and derivatives of ONNX Runtime's kernel", async (op, _, pool) => {
  const model = modelOf(op, pool);
  const x = pixels(pool.size);
  const kernel = async (data: readonly number[]) => (await inOnnxRuntime(model, { x: f32(data, x.shape) })).y!;
  const wanted = await kernel([...x.data]);
  const { graph: g, inputs, outputs } = importModel(model);
  const y = outputs.get("y")!;
  const weights = Float32Array.from(wanted, (_, i) => 1 + (i % 5));
  const loss = g.reduceSum(g.mul(y, g.constant({ dtype: "float32", shape: y.shape, data: weights })));
  const [dx] = gradients(loss, [inputs.get("x")!]);
  const program = await compile({ y, dx }, { threads: 1 });
  const result = await program.run({ x: x.data });
  await program.dispose();
  expect(result.y.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) expect(result.y[i]).toBeCloseTo(value, 5);
  // Both are linear within a step that changes no maximum: one difference is exact up to float32's rounding.
  const step = 2 ** -10;
  for (const i of range(8).map((k) => Math.floor((k * x.data.length) / 8))) {
    const moved = await kernel([...x.data].with(i, x.data[i]! + step));
    const slope = moved.reduce((sum, value, j) => sum + (weights[j]! * (value - wanted[j]!)) / step, 0);
    expect(Math.abs(Number(result.dx[i]) - slope)).toBeLessThan(5e-3);
  }
});

test.each(["uint8", "int8"] as const)("MaxPool of %s is ONNX Runtime's", async (dtype) => {
  const model = smallModel({
    nodes: [["MaxPool", "x", "y", { kernel_shape: ints(2, 2), strides: ints(2, 2), ceil_mode: int(1) }]],
    inputs: { x: { dtype, shape: [1, 1, 5, 5] } },
    outputs: [{ name: "y", dtype, shape: [], unranked: true }],
  });
  const values = range(25).map((i) => ((i * 37) % 256) - (dtype === "int8" ? 128 : 0));
  const feeds = { x: (dtype === "int8" ? i8 : u8)(values, [1, 1, 5, 5]) };
  expect((await imported(model, feeds)).y).toEqual((await inOnnxRuntime(model, feeds)).y);
});

test.each([
  ["in row-major order, of a cropped image", { size: [5, 9], kernel: [1, 2], strides: [3, 4], dilations: [1, 3] }, 0],
  ["in column-major order", { size: [4, 5], kernel: [2, 2], strides: [2, 2] }, 1],
  ["in column-major order along one axis", { size: [5], kernel: [2], strides: [1] }, 1],
] as const)("MaxPool's places are ONNX Runtime's %s", async (_, pool, order) => {
  const model = modelOf("MaxPool", pool, { storage_order: int(order) }, "y places");
  const feeds = { x: pixels(pool.size) };
  expect((await imported(model, feeds)).places).toEqual((await inOnnxRuntime(model, feeds)).places);
});
