import { describe, expect, it } from "vitest";
import { countProducts, gemmRate, totalFlops } from "./gemm.ts";

const plain = { batch: 1, m: 2, k: 3, n: 4, transA: false, transB: false };
const transposed = { ...plain, transB: true };

describe("countProducts", () => {
  it("adds up the counts of equal shapes and keeps transposes apart", () => {
    const counts = countProducts([
      { product: plain, count: 10 },
      { product: transposed, count: 1 },
      { product: { ...plain }, count: 5 },
    ]);
    expect(counts).toEqual([
      { product: plain, count: 15 },
      { product: transposed, count: 1 },
    ]);
    expect(totalFlops(counts)).toBe(16 * 2 * 2 * 3 * 4);
  });
});

describe("gemmRate", () => {
  it("runs every kind of product: stacks, and either operand transposed", async () => {
    const products = [plain, transposed, { ...plain, batch: 2, transA: true }];
    const done: number[] = [];
    const counts = products.map((product) => ({ product, count: 1 }));
    expect(await gemmRate(counts, { threads: 1 }, (n) => done.push(n))).toBeGreaterThan(0);
    expect(done).toEqual([1, 2, 3]);
  });
});
