import { describe, expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { Graph } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { randomImages, tinyEncoder } from "../../testing/tiny.ts";
import { frozenWeights } from "../encoder.ts";
import { bicubicMatrix } from "./bicubic.ts";
import { resizing } from "./resized.ts";

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
