import { expect, test } from "vitest";
import { Graph, type Value } from "../graph/index.ts";
import { peakBytes } from "./liveness.ts";

/** Bytes of one value below. */
const unit = 4 * 100;
const graph = () => {
  const g = new Graph();
  return { g, x: g.input("x", "float32", [10, 10]) };
};

test("inputs and outputs take nothing; an inner value lives from its node to its last reader", () => {
  const { g, x } = graph();
  expect(peakBytes([g.exp(x)], true)).toBe(0);
  expect(peakBytes([g.reduceSum(g.exp(x))], true)).toBe(unit);
  // The products cannot be written over what they read: two at a time, however long the chain.
  const chain = g.matMul(g.matMul(g.matMul(g.matMul(x, x), x), x), x);
  expect(peakBytes([g.reduceSum(chain)], true)).toBe(2 * unit);
});

test("outputs without memory of their own live to the end, a view among them as a copy", () => {
  const { g, x } = graph();
  const [a, b] = [g.matMul(x, x), g.matMul(x, g.exp(x))];
  expect(peakBytes([a, b], false)).toBe(3 * unit);
  expect(peakBytes([a, b], true)).toBe(unit);
  expect(peakBytes([g.reshape(g.matMul(x, x), [100])], false)).toBe(2 * unit);
});

test("a buffer that a later value of the same shape will lie in is held in between", () => {
  const { g, x } = graph();
  const [widen, mix, narrow] = [
    g.input("widen", "float32", [10, 20]),
    g.input("mix", "float32", [20, 20]),
    g.input("narrow", "float32", [20, 10]),
  ];
  const wide = (value: Value): Value => g.matMul(g.matMul(g.matMul(value, widen), mix), narrow);
  const once = g.matMul(g.matMul(wide(x), x), x);
  // Two wide ones at a time, then one of these and a narrow one; the wide ones have gone when two narrow ones are needed.
  expect(peakBytes([g.reduceSum(once)], true)).toBe(4 * unit);
  expect(peakBytes([g.reduceSum(wide(once))], true)).toBe(6 * unit);
});

test("element-wise results are written over an operand that nobody reads any more", () => {
  const { g, x } = graph();
  expect(peakBytes([g.reduceSum(g.exp(g.neg(g.exp(x))))], true)).toBe(unit);
  const kept = g.exp(x);
  expect(peakBytes([g.reduceSum(g.add(kept, g.neg(kept)))], true)).toBe(2 * unit);
});

test("views and matrices that only products read transposed take nothing of their own", () => {
  const { g, x } = graph();
  expect(peakBytes([g.reduceSum(g.reshape(g.exp(x), [100]))], true)).toBe(unit);
  const y = g.exp(x);
  expect(peakBytes([g.reduceSum(g.matMul(y, g.transpose(y)))], true)).toBe(2 * unit);
  expect(peakBytes([g.reduceSum(g.add(y, g.transpose(y)))], true)).toBe(2 * unit);
});

test("what a backward pass reads stays", () => {
  const { g, x } = graph();
  const [a, b] = [g.exp(x), g.matMul(g.exp(x), x)];
  expect(peakBytes([g.reduceSum(g.mul(a, g.matMul(b, x)))], true)).toBe(3 * unit);
});
