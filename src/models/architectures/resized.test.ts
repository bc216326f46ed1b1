import { describe, expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { UsageError } from "../../errors.ts";
import type { Framing } from "../../framing.ts";
import { Graph } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { randomImages, tinyEncoder } from "../../testing/tiny.ts";
import { frozenWeights } from "../encoder.ts";
import { bicubicMatrix, bilinearMatrix } from "./bicubic.ts";
import { atNativeResolution, resizing } from "./resized.ts";
import { VitEncoder } from "./vit.ts";

const encoder = tinyEncoder();

test("rows of the interpolation sum to 1; one step up in size has PyTorch's weights", () => {
  for (const [from, to] of [
    [4, 8],
    [32, 224],
    [8, 4],
    [5, 5],
  ] as const) {
    const matrix = bicubicMatrix(from, to);
    for (let row = 0; row < to; row++) {
      const sum = matrix.subarray(row * from, (row + 1) * from).reduce((a, b) => a + b);
      // Four float32 weights.
      expect(sum).toBeCloseTo(1, 6);
    }
  }
  // By hand for a = -0.75 at a quarter between two inputs: -0.10546875, 0.87890625, 0.26171875, -0.03515625.
  expect([...bicubicMatrix(4, 8).subarray(3 * 4, 4 * 4)]).toEqual([-0.10546875, 0.87890625, 0.26171875, -0.03515625]);
});

describe("an encoder behind a resize", () => {
  const size = 5;
  const inner = resizing(encoder, size);
  const pixels = randomImages(2, { size });

  test("gives the embedding of the resized image", async () => {
    const g = new Graph();
    const input = g.input("pixels", "float32", [2, 3, size, size]);
    const embedding = inner.embed(input, frozenWeights(g, inner.parameters));
    const program = await compile({ embedding }, { threads: 1 });
    const got = ((await program.run({ pixels })).embedding as Float32Array).slice();

    const large = new Float32Array(2 * 3 * 64);
    const matrix = bicubicMatrix(size, 8);
    for (let plane = 0; plane < 6; plane++)
      for (let y = 0; y < 8; y++)
        for (let x = 0; x < 8; x++)
          for (let i = 0; i < size; i++)
            for (let j = 0; j < size; j++)
              large[plane * 64 + y * 8 + x]! +=
                matrix[y * size + i]! * matrix[x * size + j]! * pixels[(plane * size + i) * size + j]!;
    const h = new Graph();
    const whole = h.input("pixels", "float32", [2, 3, 8, 8]);
    const wanted = await compile({ embedding: encoder.embed(whole, frozenWeights(h, encoder.parameters)) });
    const reference = (await wanted.run({ pixels: large })).embedding as Float32Array;
    // Sums of 25 products in another order, through one transformer block, values of order 1.
    for (const [i, value] of reference.entries()) expect(got[i]).toBeCloseTo(value, 4);
  });

  test("passes the gradient on to the small image", async () => {
    const g = new Graph();
    const input = g.input("pixels", "float32", [2, 3, size, size]);
    const embedding = inner.embed(input, frozenWeights(g, inner.parameters));
    const loss = g.reduceSum(g.mul(embedding, embedding));
    const [dx] = gradients(loss, [input]);
    const program = await compile({ loss, dx }, { threads: 1 });
    const derivative = ((await program.run({ pixels })).dx as Float32Array).slice();
    const at = async (step: number) => {
      const moved = pixels.map((x, i) => x + step * derivative[i]!);
      return ((await program.run({ pixels: moved })).loss as Float32Array)[0]!;
    };
    const squared = derivative.reduce((sum, d) => sum + d * d, 0);
    const h = 1e-3;
    // A central difference in float32: rounding of the loss (1e-6 relative) over h allows about a percent.
    expect(((await at(h)) - (await at(-h))) / (2 * h) / squared).toBeCloseTo(1, 1.5);
  });

  test("is the encoder itself at its own size, and keeps what it is otherwise", () => {
    expect(resizing(encoder, 8)).toBe(encoder);
    expect(inner).toMatchObject({ name: "tiny", imageSize: size, embeddingSize: 16, head: encoder.head });
    expect(inner.withParameters(encoder.parameters).imageSize).toBe(size);
  });
});

describe("an encoder at the images' own resolution", () => {
  const size = 5;
  const pixels = randomImages(2, { size });
  const framed = (resize: Framing["resize"], crop: Framing["crop"] = "down") =>
    new VitEncoder({ ...encoder, framing: { size: 8, resize, crop } });

  async function embed(of: typeof encoder | ReturnType<typeof resizing>, images: Float32Array, side: number) {
    const g = new Graph();
    const input = g.input("pixels", "float32", [2, 3, side, side]);
    const program = await compile({ embedding: of.embed(input, frozenWeights(g, of.parameters)) }, { threads: 1 });
    return ((await program.run({ pixels: images })).embedding as Float32Array).slice();
  }

  /** Planes [6, 8, 8]: each pixel of the square by two matrices, and black where these have no row. */
  function square(rows: Float32Array, columns: Float32Array, top: number, left: number): Float32Array {
    const at = (matrix: Float32Array, row: number, column: number): number =>
      row >= 0 && row < matrix.length / size ? matrix[row * size + column]! : 0;
    const image = new Float32Array(6 * 64);
    for (const [i] of image.entries()) {
      const [plane, y, x] = [Math.floor(i / 64), Math.floor(i / 8) % 8, i % 8];
      for (let v = 0; v < size; v++)
        for (let u = 0; u < size; u++)
          image[i]! += at(rows, y + top, v) * at(columns, x + left, u) * pixels[(plane * size + v) * size + u]!;
    }
    return image;
  }

  const same = new Float32Array(size * size).map((_, i) => (i % (size + 1) === 0 ? 1 : 0));
  const cubic = (to: number) => bicubicMatrix(size, to);
  test.each<readonly [string, Framing["resize"], Framing["crop"], Float32Array]>([
    [
      "its centre cut out",
      { kind: "shortest", edge: 10, filter: "bicubic" },
      "down",
      square(cubic(10), cubic(10), 1, 1),
    ],
    // A margin of 3: transformers begins at 1, torchvision at 2.
    ["rounded down", { kind: "shortest", edge: 11, filter: "bicubic" }, "down", square(cubic(11), cubic(11), 1, 1)],
    ["rounded to even", { kind: "shortest", edge: 11, filter: "bicubic" }, "even", square(cubic(11), cubic(11), 2, 2)],
    ["black around it", { kind: "shortest", edge: 6, filter: "bicubic" }, "down", square(cubic(6), cubic(6), -1, -1)],
    [
      "stretched",
      { kind: "exact", width: 8, height: 12, filter: "bicubic" },
      "even",
      square(cubic(12), cubic(8), 2, 0),
    ],
    [
      "bilinear",
      { kind: "shortest", edge: 10, filter: "bilinear" },
      "down",
      square(bilinearMatrix(size, 10), bilinearMatrix(size, 10), 1, 1),
    ],
    ["not resized", { kind: "none" }, "down", square(same, same, -2, -2)],
  ])("%s", async (_, resize, crop, image) => {
    const native = atNativeResolution(framed(resize, crop), size);
    expect([native.imageSize, native.framing.resize]).toEqual([size, { kind: "none" }]);
    const [got, wanted] = [await embed(native, pixels, size), await embed(encoder, image, 8)];
    // Sums of 25 products in another order, through one transformer block, values of order 1.
    for (const [i, value] of wanted.entries()) expect(got[i]).toBeCloseTo(value, 4);
  });

  test("with the usual framing it is the encoder behind a plain resize", async () => {
    const [native, plain] = [atNativeResolution(encoder, size), resizing(encoder, size)];
    expect(await embed(native, pixels, size)).toEqual(await embed(plain, pixels, size));
    expect(atNativeResolution(encoder, 8)).toBe(encoder);
  });

  test("what is not computed in a graph, or does not fit, is refused", () => {
    const lanczos = framed({ kind: "shortest", edge: 10, filter: "lanczos" });
    expect(() => atNativeResolution(lanczos, size)).toThrow(UsageError);
    expect(() => atNativeResolution(lanczos, size)).toThrow(/resized with the filter lanczos/);
    expect(() => atNativeResolution(framed({ kind: "none" }, "none"), size)).toThrow(/takes images of 8 pixels, uncut/);
    // Without a change of size no filter does anything.
    expect(atNativeResolution(lanczos, 10).imageSize).toBe(10);
  });
});
