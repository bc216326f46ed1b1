import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { flops, productFlops, productsOf } from "./flops.ts";
import { Graph } from "./index.ts";

const plain = { transA: false, transB: false };

describe("productsOf", () => {
  it("reads Gemm's sizes through its transposes", () => {
    const g = new Graph();
    const [x, w] = [g.input("x", "float32", [7, 3]), g.input("w", "float32", [5, 3])];
    expect(productsOf([g.gemm(x, w, undefined, { transB: true })])).toEqual([
      { batch: 1, m: 7, k: 3, n: 5, transA: false, transB: true },
    ]);
    const y = g.input("y", "float32", [7, 4]);
    expect(productsOf([g.gemm(x, y, undefined, { transA: true })])).toEqual([
      { batch: 1, m: 3, k: 7, n: 4, transA: true, transB: false },
    ]);
  });

  it("multiplies the broadcast batch axes of a MatMul", () => {
    const g = new Graph();
    const [a, b] = [g.input("a", "float32", [2, 1, 4, 5]), g.input("b", "float32", [3, 5, 6])];
    const products = productsOf([g.matMul(a, b)]);
    expect(products).toEqual([{ batch: 6, m: 4, k: 5, n: 6, ...plain }]);
    expect(flops(products[0]!)).toBe(2 * 6 * 4 * 5 * 6);
  });

  it("sees one large product where all rows meet the same matrix, and vectors as matrices", () => {
    const g = new Graph();
    const [a, w] = [g.input("a", "float32", [2, 3, 4]), g.input("w", "float32", [4, 5])];
    expect(productsOf([g.matMul(a, w)])).toEqual([{ batch: 1, m: 6, k: 4, n: 5, ...plain }]);
    const v = g.input("v", "float32", [4]);
    expect(productsOf([g.matMul(a, v)])).toEqual([{ batch: 1, m: 6, k: 4, n: 1, ...plain }]);
  });

  it("takes a Transpose of the last two axes as part of the product, any other as none of its business", () => {
    const g = new Graph();
    const [q, k] = [g.input("q", "float32", [2, 3, 4, 5]), g.input("k", "float32", [2, 3, 4, 5])];
    expect(productsOf([g.matMul(q, g.swap(k))])).toEqual([{ batch: 6, m: 4, k: 5, n: 4, transA: false, transB: true }]);
    const other = g.input("other", "float32", [2, 5, 3, 4]);
    expect(productsOf([g.matMul(q, g.transpose(other, [0, 2, 1, 3]))])).toMatchObject([{ transB: false }]);
  });

  it("counts a convolution as the product of its weight and the image's windows", () => {
    const g = new Graph();
    const [image, weight] = [g.input("image", "float32", [2, 4, 8, 8]), g.input("weight", "float32", [6, 2, 3, 3])];
    const y = g.conv(image, weight, undefined, { group: 2, strides: [2, 2], pads: [1, 1, 1, 1] });
    expect(y.shape).toEqual([2, 6, 4, 4]);
    expect(productsOf([y])).toEqual([{ batch: 4, m: 3, k: 18, n: 16, ...plain }]);
    // 192 output elements, each a sum of 2 channels x 3 x 3 terms.
    expect(productsOf([y]).map(flops)).toEqual([2 * 192 * 18]);
  });

  it("counts a shared product once and leaves out what the outputs do not need", () => {
    const g = new Graph();
    const [a, b] = [g.input("a", "float32", [2, 3]), g.input("b", "float32", [3, 2])];
    const y = g.matMul(a, b);
    g.matMul(b, a);
    expect(productsOf([g.add(y, g.matMul(a, b)), y])).toHaveLength(1);
  });

  it("finds as many operations again for each operand that is differentiated", () => {
    const g = new Graph();
    const [x, w] = [g.input("x", "float32", [7, 3]), g.input("w", "float32", [5, 3])];
    const loss = g.reduceSum(g.tanh(g.gemm(x, w, undefined, { transB: true })));
    const total = productFlops([loss, ...gradients(loss, [x, w])]);
    expect(total).toBe(3 * 2 * 7 * 3 * 5);
  });
});
