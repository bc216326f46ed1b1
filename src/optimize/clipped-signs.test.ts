import { expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { compile } from "../runtime/index.ts";
import { withClippedSigns } from "./clipped-signs.ts";

test("clipped signs are the signs of zeros, infinities and all normal numbers", async () => {
  const smallestNormal = 2 ** -126;
  const largest = (2 - 2 ** -23) * 2 ** 127;
  const numbers = Float32Array.of(
    0,
    smallestNormal,
    -smallestNormal,
    1e-20,
    -0.3,
    7,
    largest,
    -largest,
    Infinity,
    -Infinity,
  );
  const g = new Graph();
  const x = g.input("x", "float32", [numbers.length]);
  const [y] = withClippedSigns([g.sign(x)]);
  expect(reachable([y!]).nodes.map(({ op }) => op)).not.toContain("Sign");
  const program = await compile({ y: y! }, { threads: 1 });
  expect(await program.run({ x: numbers })).toEqual({ y: numbers.map(Math.sign) });
});

test("signs of integers stay", () => {
  const g = new Graph();
  const y = g.sign(g.input("x", "int64", [3]));
  expect(withClippedSigns([y])).toEqual([y]);
});
