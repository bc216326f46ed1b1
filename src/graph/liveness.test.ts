import { expect, test } from "vitest";
import { Graph } from "./index.ts";
import { peakBytes } from "./liveness.ts";

/** Bytes of one value below. */
const unit = 4 * 100;
const graph = () => {
  const g = new Graph();
  return { g, x: g.input("x", "float32", [10, 10]) };
};

test("inputs and outputs take nothing; an inner value lives from its node to its last reader", () => {
  const { g, x } = graph();
  expect(peakBytes([g.exp(x)])).toBe(0);
  expect(peakBytes([g.reduceSum(g.exp(x))])).toBe(unit);
  // The products cannot be written over what they read: two at a time, however long the chain.
  const chain = g.matMul(g.matMul(g.matMul(g.matMul(x, x), x), x), x);
  expect(peakBytes([g.reduceSum(chain)])).toBe(2 * unit);
});

test("element-wise results are written over an operand that nobody reads any more", () => {
  const { g, x } = graph();
  expect(peakBytes([g.reduceSum(g.exp(g.neg(g.exp(x))))])).toBe(unit);
  const kept = g.exp(x);
  expect(peakBytes([g.reduceSum(g.add(kept, g.neg(kept)))])).toBe(2 * unit);
});

test("views and matrices that only products read transposed take nothing of their own", () => {
  const { g, x } = graph();
  expect(peakBytes([g.reduceSum(g.reshape(g.exp(x), [100]))])).toBe(unit);
  const y = g.exp(x);
  expect(peakBytes([g.reduceSum(g.matMul(y, g.transpose(y)))])).toBe(2 * unit);
  expect(peakBytes([g.reduceSum(g.add(y, g.transpose(y)))])).toBe(2 * unit);
});

test("what a backward pass reads stays", () => {
  const { g, x } = graph();
  const [a, b] = [g.exp(x), g.matMul(g.exp(x), x)];
  expect(peakBytes([g.reduceSum(g.mul(a, g.matMul(b, x)))])).toBe(3 * unit);
});
