import { describe, expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { agreementOf, behaviourKept } from "./agreement.ts";

const [count, size] = [40, 6];
const random = randomStream("agreement");
const original = new Float32Array(count * size).map(() => random.normal() + 1);
const moved = (by: number): Float32Array => original.map((x) => x + by * random.normal());

describe("agreement", () => {
  test("is 1 where nothing moved", () => {
    const { relations, neighbours, cosine, variance } = agreementOf(original, original, size);
    expect([relations, neighbours, variance]).toEqual([1, 1, 1]);
    expect(cosine).toBeCloseTo(1, 12);
  });

  test("falls as embeddings move, in every measure", () => {
    const [little, much] = [agreementOf(original, moved(0.1), size), agreementOf(original, moved(1), size)];
    for (const name of ["relations", "neighbours", "cosine", "variance"] as const) {
      expect(little[name], name).toBeLessThan(1);
      expect(much[name], name).toBeLessThan(little[name]);
    }
  });

  test("variance is what is left of the distances to the mean: none where all became the mean", () => {
    const mean = Array.from(
      { length: size },
      (_, d) => original.filter((_, i) => i % size === d).reduce((a, b) => a + b) / count,
    );
    const collapsed = original.map((_, i) => mean[i % size]!);
    expect(agreementOf(original, collapsed, size).variance).toBeCloseTo(0, 5);
  });

  test("relations see no change of scale about the mean", () => {
    const mean = Array.from(
      { length: size },
      (_, d) => original.filter((_, i) => i % size === d).reduce((a, b) => a + b) / count,
    );
    const stretched = original.map((x, i) => mean[i % size]! + 3 * (x - mean[i % size]!));
    // float32 rows.
    expect(agreementOf(original, stretched, size).relations).toBeCloseTo(1, 5);
  });
});

test("behaviour is kept against what a shift changes, and no more than all of it", () => {
  const shifted = { relations: 0.8, neighbours: 0.5, cosine: 0.5, variance: 0.5 };
  expect(behaviourKept({ ...shifted, relations: 0.4 }, shifted)).toBeCloseTo(0.5, 12);
  expect(behaviourKept({ ...shifted, relations: 0.9 }, shifted)).toBe(1);
});
