import { expect, it } from "vitest";
import { Graph } from "../graph/index.ts";
import { profile } from "./profile.ts";

it("says what each kind of node took, products with their operations, whichever operand lies transposed", async () => {
  const g = new Graph();
  const x = g.input("x", "float32", [40, 30]);
  const [w, v] = [g.input("w", "float32", [20, 30]), g.input("v", "float32", [20, 30])];
  const stack = g.matMul(g.input("a", "float32", [6, 7, 8]), g.input("b", "float32", [6, 8, 9]));
  const products = [g.gemm(x, w, undefined, { transB: true }), g.gemm(x, v, undefined, { transB: true })];
  const { operators, nodes } = await profile({ y: g.exp(g.add(products[0]!, products[1]!)), stack }, {}, 3);
  const of = (name: string) => operators.find(({ what }) => what === name);
  expect(of("Gemm")).toMatchObject({ count: expect.closeTo(2), flops: expect.closeTo(2 * 2 * 40 * 30 * 20) });
  expect(of("MatMul")).toMatchObject({ count: expect.closeTo(1), flops: expect.closeTo(2 * 6 * 7 * 8 * 9) });
  expect(of("Exp")).toMatchObject({ count: expect.closeTo(1), flops: 0 });
  expect(nodes.map(({ what }) => what)).toContain("Gemm 40x30, 20x30 -> 40x20");
  const seconds = operators.map((time) => time.seconds);
  expect(Math.min(...seconds)).toBeGreaterThan(0);
  expect(seconds).toEqual(seconds.toSorted((a, b) => b - a));
  const total = (times: readonly { readonly seconds: number }[]) => times.reduce((sum, each) => sum + each.seconds, 0);
  expect(total(nodes)).toBeCloseTo(total(operators), 9);
});
