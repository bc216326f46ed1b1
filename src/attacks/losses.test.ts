import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import type { Program } from "../runtime/program.ts";
import {
  cosineDistance,
  crossEntropy,
  dlr,
  margin,
  misclassified,
  squaredDistance,
  targetedDlr,
  targetedMargin,
} from "./losses.ts";

const oneThread = { threads: 1 };

type Loss = "crossEntropy" | "margin" | "targetedMargin" | "dlr" | "targetedDlr";

const losses: Readonly<Record<Loss, (logits: Value, labels: Value, targets: Value) => Value>> = {
  crossEntropy,
  margin,
  targetedMargin,
  dlr,
  targetedDlr,
};
const names = Object.keys(losses) as readonly Loss[];

/** The same of one row by their papers' equations, in float64. */
const reference: Readonly<Record<Loss, (z: readonly number[], y: number, t: number) => number>> = {
  crossEntropy: (z, y) => Math.log(z.reduce((sum, x) => sum + Math.exp(x), 0)) - z[y]!,
  margin: (z, y) => Math.max(...z.toSpliced(y, 1)) - z[y]!,
  targetedMargin: (z, y, t) => z[t]! - z[y]!,
  dlr: (z, y) => {
    const [first, , third] = z.toSorted((a, b) => b - a);
    return -(z[y]! - Math.max(...z.toSpliced(y, 1))) / (first! - third!);
  },
  targetedDlr: (z, y, t) => {
    const [first, , third, fourth] = z.toSorted((a, b) => b - a);
    return -(z[y]! - z[t]!) / (first! - (third! + fourth!) / 2);
  },
};

const [rows, classes] = [3, 6];

function graphOf(): Readonly<Record<string, Value>> {
  const g = new Graph();
  const logits = g.input("logits", "float32", [rows, classes]);
  const labels = g.input("labels", "int64", [rows]);
  const targets = g.input("target", "int64", [rows]);
  const values = names.map((name) => [name, losses[name](logits, labels, targets)] as const);
  return {
    wrong: misclassified(logits, labels),
    ...Object.fromEntries(values),
    ...Object.fromEntries(values.map(([name, loss]) => [`d${name}`, gradients(g.reduceSum(loss), [logits])[0]])),
  };
}

describe("losses of logits", () => {
  let program: Program;
  beforeAll(async () => {
    program = await compile(graphOf(), oneThread);
  });
  afterAll(() => program.dispose());

  const run = (logits: readonly (readonly number[])[], labels: readonly number[], targets: readonly number[]) =>
    program.run({
      logits: Float32Array.from(logits.flat()),
      labels: BigInt64Array.from(labels, BigInt),
      target: BigInt64Array.from(targets, BigInt),
    });

  test("by hand: the label on top, in the middle, and last", async () => {
    const z = [4, 1, 3, 2, 0, -4];
    const found = await run([z, z, z], [0, 3, 5], [2, 2, 1]);
    // exp sums to e^4 (1 + e^-1 + e^-2 + e^-3 + e^-4 + e^-8).
    const sum = 4 + Math.log(1 + Math.exp(-1) + Math.exp(-2) + Math.exp(-3) + Math.exp(-4) + Math.exp(-8));
    const wanted: Record<Loss, readonly number[]> = {
      crossEntropy: [sum - 4, sum - 2, sum + 4],
      margin: [-1, 2, 8],
      targetedMargin: [-1, 1, 5],
      // Third largest: 2, so that the scale is 2; third and fourth: 2 and 1, so that it is 5/2.
      dlr: [-1 / 2, 1, 4],
      targetedDlr: [-2 / 5, 2 / 5, 2],
    };
    for (const name of names) {
      for (const [i, value] of wanted[name].entries()) expect(found[name]![i]).toBeCloseTo(value, 5);
    }
    expect([...(found.wrong as Uint8Array)]).toEqual([0, 1, 1]);
  });

  test("ties: with the label on top, between others, and among all", async () => {
    const found = await run(
      [
        [5, 5, 3, 1, 1, 0],
        [4, 2, 2, 2, 1, 0],
        [1, 1, 1, 1, 1, 1],
      ],
      [1, 2, 0],
      [0, 1, 3],
    );
    expect([...(found.margin as Float32Array)]).toEqual([0, 2, 0]);
    expect([...(found.dlr as Float32Array)]).toEqual([0, 1, 0]);
    expect([...(found.targetedMargin as Float32Array)]).toEqual([0, 0, 0]);
    expect([...(found.targetedDlr as Float32Array)]).toEqual([0, 0, 0]);
    // The first of equal logits is the prediction.
    expect([...(found.wrong as Uint8Array)]).toEqual([1, 1, 0]);
    for (const name of names) expect(found[`d${name}`]!.every((x) => Number.isFinite(Number(x)))).toBe(true);
  });

  const random = randomStream("logits");
  /** Distinct by 1/4 at least, so that no step of the differences changes an order. */
  const draws = Array.from({ length: 20 }, () => ({
    logits: Array.from({ length: rows }, () => {
      const values = Array.from({ length: classes }, (_, i) => (i - 2) / 2 + random.uniform(-1 / 8, 1 / 8));
      return values.map((value) => ({ value, at: random.uniform() })).sort((a, b) => a.at - b.at);
    }).map((row) => row.map(({ value }) => Math.fround(value))),
    labels: Array.from({ length: rows }, () => random.below(classes)),
    targets: Array.from({ length: rows }, () => random.below(classes)),
  }));

  test.each(names)("%s and its gradient by the paper's equation, differences in float64", async (name) => {
    const h = 1e-4;
    for (const { logits, labels, targets } of draws) {
      const found = await run(logits, labels, targets);
      for (const [i, z] of logits.entries()) {
        const at = (values: readonly number[]): number => reference[name](values, labels[i]!, targets[i]!);
        // Logits below 2, scales from 3/4: float32's 6e-8 a few times over.
        expect(found[name]![i]).toBeCloseTo(at(z), 5);
        for (const [c, x] of z.entries()) {
          const slope = (at(z.with(c, x + h)) - at(z.with(c, x - h))) / (2 * h);
          // The differences err by h^2 times a third derivative below 100, 1e-6; float32 by as much.
          expect(Math.abs(Number(found[`d${name}`]![i * classes + c]) - slope)).toBeLessThan(1e-5);
        }
      }
    }
  });

  test("DLR does not depend on the logits' shift and scale", async () => {
    const { logits, labels, targets } = draws[0]!;
    const one = await run(logits, labels, targets);
    const other = await run(
      logits.map((z) => z.map((x) => 100 * x + 50)),
      labels,
      targets,
    );
    for (const name of ["dlr", "targetedDlr"] as const) {
      for (const [i, value] of (other[name] as Float32Array).entries())
        expect(value).toBeCloseTo(Number(one[name]![i]), 4);
    }
  });
});

test("losses of embeddings by hand", async () => {
  const g = new Graph();
  const [a, b] = [g.input("a", "float32", [3, 2]), g.input("b", "float32", [3, 2])];
  const program = await compile({ l2: squaredDistance(a, b), cosine: cosineDistance(a, b) }, oneThread);
  const found = await program.run({ a: Float32Array.of(3, 4, 1, 0, 2, 0), b: Float32Array.of(4, 3, 0, 7, -1, 0) });
  expect([...(found.l2 as Float32Array)]).toEqual([2, 50, 9]);
  for (const [i, wanted] of [1 / 25, 1, 2].entries()) expect(found.cosine![i]).toBeCloseTo(wanted, 6);
  await program.dispose();
});
