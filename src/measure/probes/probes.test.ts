import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { synthetic } from "../../data/index.ts";
import { randomStream } from "../../random.ts";
import { tinyEncoder } from "../../testing/tiny.ts";
import type { Labelled } from "./labelled.ts";
import { fitLogistic, linearProbe, predictLinear } from "./logistic.ts";
import { nearestNeighbours } from "./neighbours.ts";
import { placesOf } from "./places.ts";
import { type ProbeOptions, probe } from "./probe.ts";

/** Three overlapping clouds in five dimensions. */
function clouds(count: number, spread: number): Labelled {
  const random = randomStream("clouds", count);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  const embeddings = new Float32Array(count * 5).map(
    (_, at) => (at % 5 === labels[Math.floor(at / 5)] ? 1 : 0) + spread * random.normal(),
  );
  return { embeddings, labels, size: 5 };
}

test("without separating directions the biases are the classes' log frequencies, which has a closed form", async () => {
  const labels = Int32Array.of(0, 0, 0, 1);
  const { point, value, converged } = await fitLogistic({ embeddings: new Float32Array(4), labels, size: 1 }, 2, 0.1);
  expect(converged).toBe(true);
  // A gradient of 1e-5 over a curvature of 3/8.
  expect(point[2]! - point[3]!).toBeCloseTo(Math.log(3), 4);
  expect(value).toBeCloseTo(-(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25)), 8);
});

test("at the minimum the gradient, computed here by its formula, is within the tolerance", async () => {
  const data = clouds(1100, 0.8);
  const strength = 1e-3;
  const { point, converged } = await fitLogistic(data, 3, strength, { threads: 1 });
  expect(converged).toBe(true);
  const gradient = new Float64Array(18);
  for (const [i, label] of data.labels.entries()) {
    const x = data.embeddings.subarray(i * 5, i * 5 + 5);
    const logits = [0, 1, 2].map((c) => x.reduce((sum, v, d) => sum + v * point[c * 5 + d]!, point[15 + c]!));
    const total = logits.reduce((sum, z) => sum + Math.exp(z), 0);
    for (const c of [0, 1, 2]) {
      const residual = (Math.exp(logits[c]!) / total - (c === label ? 1 : 0)) / data.labels.length;
      for (let d = 0; d < 5; d++) gradient[c * 5 + d]! += residual * x[d]!;
      gradient[15 + c]! += residual;
    }
  }
  for (let i = 0; i < 15; i++) gradient[i]! += strength * point[i]!;
  // The fit's own tolerance, and rounding.
  expect(Math.max(...gradient.map(Math.abs))).toBeLessThan(1.001e-5);
});

test("separable classes are separated", async () => {
  const data = clouds(90, 0.05);
  const { head } = await linearProbe(data, 3, { threads: 1 });
  expect([...predictLinear(head, data)]).toEqual([...data.labels]);
});

test("neighbours are by cosine, and near ones weigh more", async () => {
  const train = { embeddings: Float32Array.of(10, 0, 0.1, 1, 0, 3), labels: Int32Array.of(0, 1, 1), size: 2 };
  const test = { embeddings: Float32Array.of(1, 0.1, 0.1, 5), labels: Int32Array.of(0, 1), size: 2 };
  const [one, three] = await nearestNeighbours(train, test, [1, 3], { threads: 1 });
  expect([...one!]).toEqual([0, 1]);
  expect([...three!], "two far ones do not outvote a near one").toEqual([0, 1]);
});

/*
 * scikit-learn 1.4 in float64 on the same points; its C is 1 / (images strength), and the penalty the same:
 *   LogisticRegression(C=1 / (40 * 0.01), tol=1e-10, max_iter=100000).fit(X, y)
 */
const published = {
  loss: 0.29033988822,
  weight: [
    1.17659, -2.48684, -1.25855, 1.24574, -2.08308, 1.55529, -1.12656, -1.23565, 0.90649, 0.93155, 2.38511, -0.01009,
  ],
  // Up to a constant, which changes no probability.
  bias: [0.86312, 0.4396, -1.30272],
};

test("the fit is scikit-learn's", async () => {
  const [count, size, classes] = [40, 4, 3];
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  const embeddings = Float32Array.from({ length: count * size }, (_, at) => {
    const [i, j] = [Math.floor(at / size), at % size];
    return Math.sin(1.7 * i + 0.9 * j * j) + (j === labels[i] ? 1.2 : 0);
  });
  const { point, value } = await fitLogistic({ embeddings, labels, size }, classes, 0.01, { threads: 1 });
  expect(value).toBeCloseTo(published.loss, 7);
  // A gradient of up to 1e-5 over a curvature of at least the strength, 1e-2.
  for (const [i, w] of published.weight.entries()) expect(Math.abs(point[i]! - w)).toBeLessThan(1e-3);
  const bias = point.slice(classes * size);
  const mean = bias.reduce((a, b) => a + b) / classes;
  for (const [c, b] of published.bias.entries()) expect(Math.abs(bias[c]! - mean - b)).toBeLessThan(1e-3);
});

describe("classes of two sources", () => {
  const refusal = (folder: string, places: readonly number[]): string => `${folder}: ${places.length}`;

  test("are those of the same folder, or at the same place where the lists are the same", () => {
    expect(placesOf(["b", "a"], ["a", "b", "c"], refusal)).toEqual([1, 0]);
    expect(placesOf(["crane", "owl", "crane"], ["crane", "owl", "crane"], refusal)).toEqual([0, 1, 2]);
    expect(() => placesOf(["d"], ["a"], refusal)).toThrow("d: 0");
    expect(() => placesOf(["crane"], ["crane", "crane"], refusal)).toThrow("crane: 2");
  });

  const cache = mkdtempSync(join(tmpdir(), "lore-probe-"));
  afterAll(() => rmSync(cache, { recursive: true, force: true }));
  const source = synthetic({ count: 24 });
  const measured = (options: ProbeOptions) => probe(tinyEncoder(), source, source, { threads: 1, cache, ...options });

  test("say what training images lack, and how many neighbours there are", async () => {
    // Taken class by class in turn: the first three classes.
    const { warnings } = await measured({ limitTrain: 3, neighbours: [1, 4] });
    expect(warnings).toEqual([
      expect.stringMatching(/5 classes of the test images have no training image/),
      expect.stringMatching(/^4 neighbours were asked for, and there are 3 training images: all of them vote/),
    ]);
    await expect(measured({ limitTrain: 3, neighbours: [1], strict: true })).rejects.toThrow(/have no training image/);
    await expect(measured({ limitTrain: 8, neighbours: [9], strict: true })).rejects.toThrow(/9 neighbours were asked/);
    expect((await measured({ limitTrain: 8, neighbours: [1], strict: true })).warnings).toEqual([]);
  });
});
