import { expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { compile } from "./web.ts";

test("in WebAssembly, a run's results are in the program's arrays, or in those that it is given", async () => {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 3]);
  const n = g.input("n", "int64", [2]);
  const program = await compile({ y: g.mul(x, 2), m: g.add(n, n) });
  const feeds = { x: Float32Array.of(1, 2, 3, 4, 5, 6), n: BigInt64Array.of(3n, -1n) };
  const first = await program.run(feeds);
  expect(first.y).toEqual(Float32Array.of(2, 4, 6, 8, 10, 12));
  expect(first.m).toEqual(BigInt64Array.of(6n, -2n));
  const second = await program.run({ ...feeds, x: new Float32Array(6) });
  expect(second.y).toBe(first.y);
  expect(second.y).toEqual(new Float32Array(6));
  const into = { y: new Float32Array(6), m: new BigInt64Array(2) };
  expect(await program.run(feeds, into)).toBe(into);
  expect(into).toEqual({ y: Float32Array.of(2, 4, 6, 8, 10, 12), m: BigInt64Array.of(6n, -2n) });
  await program.dispose();
});
