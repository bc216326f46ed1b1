import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { reachable } from "../graph/reachable.ts";
import { optimizedFile, optimizedModel, optimizedProgram } from "./pipeline.ts";
import type { Target } from "./target.ts";

/** Operators of a program with a sign, a product by a transposed matrix and a bias, once it is compiled for a target. */
function operators(target: Target): readonly string[] {
  const g = new Graph();
  const [x, w] = [g.input("x", "float32", [256, 256]), g.input("w", "float32", [256, 256])];
  const y = g.gemm(g.sign(x), w, g.input("b", "float32", [256]), { transA: true });
  return reachable(optimizedProgram([y], target)).nodes.map(({ op }) => op);
}

describe("a program's passes follow its target", () => {
  test.each<readonly [string, Target, readonly string[], readonly string[]]>([
    ["two threads on CPU", { threads: 2 }, ["Add", "Sign"], ["Clip", "Cast"]],
    ["one thread", { threads: 1 }, ["Sign"], ["Add", "Clip", "Cast"]],
    ["WebGPU", { device: "webgpu" }, ["Clip"], ["Sign", "Add", "Cast"]],
    ["CUDA", { device: "cuda" }, ["Sign"], ["Add", "Clip", "Cast"]],
    ["float16", { device: "cuda", precision: "float16" }, ["Cast", "Sign"], ["Clip"]],
  ])("%s", (_, target, present, absent) => {
    const found = operators(target);
    for (const op of present) expect(found).toContain(op);
    for (const op of absent) expect(found).not.toContain(op);
  });

  test("a single pass can be asked for, and is left out where it is off", () => {
    const g = new Graph();
    const [x, w] = [g.input("x", "float32", [256, 8]), g.input("w", "float32", [256, 8])];
    const y = g.gemm(x, w, undefined, { transA: true });
    expect(optimizedProgram([y], { device: "cuda" }, ["transposedOperands"])).toEqual([y]);
    expect(optimizedProgram([y], { device: "cpu" }, ["transposedOperands"])).not.toEqual([y]);
  });
});

test("patterns that files write out are looked for in files only", () => {
  const g = new Graph();
  const x = g.input("x", "float32", [4]);
  const y = g.mul(x, g.sigmoid(x));
  expect(optimizedModel(y)).toBe(y);
  expect(optimizedFile(y)).toBe(g.swish(x));
});

test("every pass of the room is in the pipeline", () => {
  const pipeline = readFileSync(new URL("pipeline.ts", import.meta.url), "utf8");
  const files = readdirSync(new URL(".", import.meta.url)).filter((file) => /^[a-z0-9-]+\.ts$/.test(file));
  const passes = files.flatMap((file) =>
    [...readFileSync(new URL(file, import.meta.url), "utf8").matchAll(/^export function (with\w+)\(/gm)].map(
      ([, name]) => name!,
    ),
  );
  expect(passes.length).toBeGreaterThan(10);
  // Not a pass over a graph, but over the order in which a file lists its nodes.
  for (const name of passes.filter((pass) => pass !== "withEarlyNodes")) expect(pipeline).toContain(name);
});
