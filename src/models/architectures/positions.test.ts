import fc from "fast-check";
import { expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { Graph } from "../../graph/index.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { resampledPositions, resizePositions } from "./positions.ts";

/** Class token 99, and a grid of width 1. */
function positions(grid: number, value: (row: number, column: number) => number): Tensor<"float32"> {
  const data = Float32Array.of(
    99,
    ...Array.from({ length: grid * grid }, (_, i) => value(Math.floor(i / grid), i % grid)),
  );
  return { dtype: "float32", shape: [1, 1 + grid * grid, 1], data };
}
const patches = (tensor: Tensor<"float32">): number[] => [...tensor.data.subarray(1)];
const side = fc.integer({ min: 1, max: 9 });

test("to the same size it is the identity, the very tensor", () => {
  const tensor = positions(3, (row, column) => row + 10 * column);
  expect(resizePositions(tensor, 3)).toBe(tensor);
});

test("the class token stays, the shape follows, a constant stays constant", () => {
  fc.assert(
    fc.property(side, side, (from, to) => {
      const resized = resizePositions(
        positions(from, () => 0.7),
        to,
      );
      expect(resized.shape).toEqual([1, 1 + to * to, 1]);
      expect(resized.data[0]).toBe(99);
      for (const value of patches(resized)) expect(value).toBeCloseTo(0.7, 5);
    }),
  );
});

test("mirroring or transposing before is mirroring or transposing after", () => {
  fc.assert(
    fc.property(side, side, fc.nat(), (from, to, seed) => {
      const value = (row: number, column: number): number => Math.sin(seed + 3 * row + 7 * column);
      const at = (list: readonly number[], row: number, column: number): number => list[row * to + column]!;
      const plain = patches(resizePositions(positions(from, value), to));
      const mirrored = patches(
        resizePositions(
          positions(from, (r, c) => value(r, from - 1 - c)),
          to,
        ),
      );
      const transposed = patches(
        resizePositions(
          positions(from, (r, c) => value(c, r)),
          to,
        ),
      );
      for (let row = 0; row < to; row++) {
        for (let column = 0; column < to; column++) {
          expect(at(mirrored, row, column)).toBeCloseTo(at(plain, row, to - 1 - column), 5);
          expect(at(transposed, row, column)).toBeCloseTo(at(plain, column, row), 5);
        }
      }
    }),
  );
});

test("an impulse becomes the kernel with a = -0.75, at half-pixel centres", () => {
  const resized = patches(
    resizePositions(
      positions(8, (_, column) => (column === 3 ? 1 : 0)),
      16,
    ),
  );
  // New column c lies at (c + 0.5) / 2 - 0.5: columns 3 to 10 are 1.75, 1.25, 0.75, 0.25 and back from old column 3.
  const kernel = [-0.03515625, -0.10546875, 0.26171875, 0.87890625];
  const wanted = [0, 0, 0, ...kernel, ...kernel.toReversed(), 0, 0, 0, 0, 0];
  for (let row = 0; row < 16; row++) {
    for (const [column, value] of wanted.entries()) expect(resized[16 * row + column]).toBeCloseTo(value, 6);
  }
});

test("positions that are no square grid are refused", () => {
  const tensor: Tensor<"float32"> = { dtype: "float32", shape: [1, 7, 1], data: new Float32Array(7) };
  expect(() => resizePositions(tensor, 3)).toThrow(UsageError);
  expect(() => resizePositions(tensor, 3)).toThrow(/\[1,7,1\].*square/);
});

test("inside a graph it is the same interpolation, of positions that are an input", async () => {
  const random = randomStream("positions");
  const width = 3;
  for (const [grid, to] of [
    [7, 4],
    [4, 7],
    [2, 1],
    [3, 3],
  ] as const) {
    const shape = [1, 1 + grid * grid, width];
    const data = Float32Array.from({ length: (1 + grid * grid) * width }, () => random.normal());
    const g = new Graph();
    const resized = resampledPositions(g.input("positions", "float32", shape), grid, to);
    const program = await compile({ resized }, { threads: 1 });
    const wanted = resizePositions({ dtype: "float32", shape, data }, to);
    expect(resized.shape).toEqual(wanted.shape);
    const got = (await program.run({ positions: data })).resized as Float32Array;
    // Sums of 16 products of size 1, in another order.
    for (const [i, x] of got.entries()) expect(x).toBeCloseTo(wanted.data[i]!, 5);
    await program.dispose();
  }
});
