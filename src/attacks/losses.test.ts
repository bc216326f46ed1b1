import { expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { cosineDistance, crossEntropy, dlr, margin, squaredDistance, targetedDlr, targetedMargin } from "./losses.ts";

type Loss = (logits: Value, labels: Value, targets: Value) => Value;

async function evaluate(loss: Loss, rows: readonly (readonly number[])[], labels: readonly number[], targets = labels) {
  const g = new Graph();
  const [count, classes] = [rows.length, rows[0]!.length];
  const logits = g.input("logits", "float32", [count, classes]);
  const values = loss(logits, g.input("labels", "int64", [count]), g.input("targets", "int64", [count]));
  const [gradient] = gradients(g.reduceSum(values), [logits]);
  const program = await compile({ values, gradient }, { threads: 1 });
  const result = await program.run({
    logits: Float32Array.from(rows.flat()),
    labels: BigInt64Array.from(labels, BigInt),
    targets: BigInt64Array.from(targets, BigInt),
  });
  await program.dispose();
  return { values: [...(result.values as Float32Array)], gradient: [...(result.gradient as Float32Array)] };
}

function expectClose(actual: readonly number[], wanted: readonly number[], digits = 5): void {
  expect(actual.length).toBe(wanted.length);
  for (const [i, x] of wanted.entries()) expect(actual[i]).toBeCloseTo(x, digits);
}

const z = [
  [4, 1, 3, 2, 0],
  [4, 1, 3, 2, 0],
  [2, 2, 1, 0, 0],
] as const;

test("by hand: label on top, label below, label in a tie", async () => {
  expectClose((await evaluate(margin, z, [0, 3, 1])).values, [-1, 2, 0]);
  // The largest less the third largest: 2, 2 and 1.
  expectClose((await evaluate(dlr, z, [0, 3, 1])).values, [-1 / 2, 1, 0]);
  expectClose((await evaluate(targetedMargin, z, [0, 3, 1], [4, 0, 2])).values, [-4, 2, -1]);
  // The largest less the mean of the third and fourth: 2.5, 2.5 and 1.5.
  expectClose((await evaluate(targetedDlr, z, [0, 3, 1], [4, 0, 2])).values, [-4 / 2.5, 2 / 2.5, -1 / 1.5]);
  const sums = z.map((row) => Math.log(row.reduce<number>((sum, x) => sum + Math.exp(x), 0)));
  const wanted = [0, 3, 1].map((label, i) => sums[i]! - z[i]![label]!);
  expectClose((await evaluate(crossEntropy, z, [0, 3, 1])).values, wanted);
});

test("DLR knows neither shift nor scale of the logits", async () => {
  const moved = z.map((row) => row.map((x) => 7 * x - 100));
  for (const loss of [dlr, targetedDlr] as const) {
    const [plain, other] = [
      await evaluate(loss, z, [0, 3, 1], [4, 0, 2]),
      await evaluate(loss, moved, [0, 3, 1], [4, 0, 2]),
    ];
    // Logits near 100 are known to 4e-6 of their differences.
    expectClose(other.values, plain.values, 4);
  }
});

test.each([
  ["dlr", dlr],
  ["targeted DLR", targetedDlr],
  ["margin", margin],
] as const)("%s: its gradient is that of central differences", async (_, loss) => {
  const random = randomStream("logits");
  // Distinct by more than the step, so that no two change places; multiples of 1/64 are exact.
  const rows = Array.from({ length: 3 }, () => [5, 3, 2, 0, -1, -4].map((x) => x + random.below(32) / 64));
  const [labels, targets] = [
    [0, 2, 5],
    [1, 4, 0],
  ];
  const { gradient } = await evaluate(loss, rows, labels, targets);
  const step = 1 / 32;
  for (let k = 0; k < 18; k++) {
    const shifted = (by: number) => rows.map((row, i) => row.map((x, c) => (6 * i + c === k ? x + by : x)));
    const sum = async (by: number) =>
      (await evaluate(loss, shifted(by), labels, targets)).values.reduce((total, x) => total + x, 0);
    const slope = ((await sum(step)) - (await sum(-step))) / (2 * step);
    // The differences err by step^2 / 6 times a third derivative of about 1 / 5^3, and by float32's rounding over the step.
    expect(gradient[k]).toBeCloseTo(slope, 3);
  }
});

test("distances of embeddings", async () => {
  const g = new Graph();
  const [a, b] = [g.input("a", "float32", [2, 3]), g.input("b", "float32", [2, 3])];
  const program = await compile({ l2: squaredDistance(a, b), cosine: cosineDistance(a, b) }, { threads: 1 });
  const { l2, cosine } = await program.run({
    a: Float32Array.of(1, 2, 2, 0, 0, 0),
    b: Float32Array.of(2, 4, 4, 0, 3, 4),
  });
  expectClose([...(l2 as Float32Array)], [9, 25]);
  // Parallel; and an embedding of zeros, which has no direction.
  expectClose([...(cosine as Float32Array)], [0, 1]);
  await program.dispose();
});
