import { expect, it } from "vitest";
import { Graph } from "../graph/index.ts";
import { nodeBytes, optimizerBytes, productBytes } from "./traffic.ts";

it("counts operands and results of products, each time one runs", () => {
  const product = { batch: 5, m: 2, k: 3, n: 4, transA: false, transB: true };
  expect(productBytes([{ product, count: 7 }])).toBe(7 * 5 * (2 * 3 + 3 * 4 + 2 * 4) * 4);
});

it("counts what every node reads and writes, views excepted", () => {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 3]);
  const flat = g.reshape(x, [6]);
  // Neg 6 + 6, Mul 6 + 6 + 6 floats; the reshape is free.
  expect(nodeBytes([g.mul(g.neg(flat), flat)])).toBe(30 * 4);
  // Cast writes bytes.
  expect(nodeBytes([g.cast(flat, "uint8")])).toBe(6 * 4 + 6);
});

it("counts seven passes of an AdamW step over the parameters", () => {
  const parameters = new Map([["w", { dtype: "float32" as const, shape: [10], data: new Float32Array(10) }]]);
  expect(optimizerBytes(parameters)).toBe(7 * 40);
});
