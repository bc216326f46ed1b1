import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import { balancedSubset, shuffled } from "./order.ts";
import type { ImageSource } from "./source.ts";

function source(labels: readonly (number | undefined)[]): ImageSource {
  const location = { kind: "file", path: "x" } as const;
  return {
    name: "test",
    items: labels.map((label, i) => ({ id: `${i}`, location, ...(label === undefined ? {} : { label }) })),
  };
}

const labels = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 60 });
const limits = fc.integer({ min: 1, max: 80 });
const seeds = fc.integer();

describe("balancedSubset", () => {
  it("gives distinct images, as many as asked for, each class within one of the others until it runs out", () => {
    fc.assert(
      fc.property(labels, limits, seeds, (labels, limit, seed) => {
        const subset = balancedSubset(source(labels), limit, seed);
        expect(new Set(subset).size).toBe(Math.min(limit, labels.length));
        const have = (of: readonly number[], label: number) => of.filter((other) => other === label).length;
        const taken = subset.map((index) => labels[index]!);
        const most = Math.max(...labels.map((label) => have(taken, label)));
        for (const label of new Set(labels)) {
          expect(have(taken, label)).toBeGreaterThanOrEqual(Math.min(most - 1, have(labels, label)));
        }
      }),
    );
  });

  it("is the same for the same seed, and a smaller limit gives a prefix", () => {
    fc.assert(
      fc.property(labels, limits, seeds, (labels, limit, seed) => {
        const all = balancedSubset(source(labels), Number.POSITIVE_INFINITY, seed);
        expect(balancedSubset(source(labels), limit, seed)).toEqual(all.slice(0, limit));
      }),
    );
  });

  it("depends on the seed, with labels and without", () => {
    const labelled = source(Array.from({ length: 100 }, (_, i) => i % 2));
    const plain = source(Array.from({ length: 100 }, () => undefined));
    for (const data of [labelled, plain]) {
      expect(balancedSubset(data, 10, 1)).not.toEqual(balancedSubset(data, 10, 2));
      expect(balancedSubset(data, 10, 1)).not.toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
  });

  it.each([0, -3, 2.5, Number.NaN])("refuses limit %d", (limit) => {
    expect(() => balancedSubset(source([0]), limit, 0)).toThrow(UsageError);
  });
});

describe("shuffled", () => {
  it("is a permutation that leaves its input alone", () => {
    fc.assert(
      fc.property(fc.array(fc.nat()), seeds, fc.nat(), (indices, seed, epoch) => {
        const before = [...indices];
        const after = shuffled(indices, seed, epoch);
        expect(indices).toEqual(before);
        expect(after.toSorted((a, b) => a - b)).toEqual(before.toSorted((a, b) => a - b));
        expect(shuffled(indices, seed, epoch)).toEqual(after);
      }),
    );
  });

  it("differs between epochs and between seeds", () => {
    const indices = Array.from({ length: 50 }, (_, i) => i);
    const orders = [shuffled(indices, 0, 0), shuffled(indices, 0, 1), shuffled(indices, 1, 0), shuffled(indices, 1, 1)];
    expect(new Set(orders.map(String)).size).toBe(4);
  });

  it("puts every element everywhere about equally often", () => {
    const places = Array.from({ length: 5 }, () => new Array<number>(5).fill(0));
    for (let epoch = 0; epoch < 5000; epoch++) {
      shuffled([0, 1, 2, 3, 4], 3, epoch).forEach((element, place) => {
        places[element]![place]!++;
      });
    }
    // 1000 expected, standard deviation 28.
    for (const count of places.flat()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe("randomStream", () => {
  it("gives neighbouring seeds unrelated first numbers", () => {
    const first = Array.from({ length: 4000 }, (_, seed) => randomStream(seed).uniform());
    const mean = first.reduce((a, b) => a + b) / first.length;
    const correlation = first.slice(1).reduce((sum, value, i) => sum + (value - mean) * (first[i]! - mean), 0) / 4000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.02);
    expect(Math.abs(correlation)).toBeLessThan(0.006);
  });

  it("tells keys apart by value, order, kind and fraction", () => {
    const keys = [[1, 2], [2, 1], ["1", 2], [1, 2.5], [1], [-1, 2], [1, 2 ** 40], ["12"], [12]];
    expect(new Set(keys.map((key) => randomStream(...key).uniform())).size).toBe(keys.length);
  });
});
