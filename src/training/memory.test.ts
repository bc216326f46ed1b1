import { describe, expect, test } from "vitest";
import type { MemoryOptions, MemoryUse } from "../../bench/memory-cases.ts";
import { compileOnce } from "../../bench/once.ts";
import { UsageError } from "../errors.ts";
import { fare, lore } from "../objectives/index.ts";
import { canHoldHeap } from "../runtime/index.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { formatBytes, planMemory, trainingBytes } from "./memory.ts";
import { type MicroBatches, sameMicroBatches, usualMicroBatches } from "./micro-batch.ts";

/** Images large enough for activations to weigh something beside Node.js. */
const encoder = tinyEncoder({ imageSize: 56, depth: 4 });
const objective = lore({ epsilon: 8 / 255, attack: { steps: 2 }, stepsPerBatch: 1 });
const bytesOf = (sizes: MicroBatches, recompute = false): number =>
  trainingBytes(encoder, objective, { batch: 64, ...sizes, recompute });
const bytes = (microBatch: number, recompute = false): number => bytesOf(sameMicroBatches(microBatch), recompute);

describe("trainingBytes", () => {
  test("grows with the micro-batch, linearly where activations are most of it", () => {
    const sizes = [1, 2, 4, 8, 16, 32].map((size) => bytes(size));
    expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
    expect(new Set(sizes).size).toBe(sizes.length);
    // Twice the images add twice as much; what does not depend on them (buffers of gradients) leaves some percent.
    expect((sizes[4]! - sizes[3]!) / (sizes[3]! - sizes[2]!)).toBeCloseTo(2, 1);
  });

  test.runIf(canHoldHeap)(
    "is more than twice as much where values become too large for the heap that programs share",
    () => {
      expect(bytes(64) - bytes(32)).toBeGreaterThan(2.5 * (bytes(32) - bytes(16)));
    },
  );

  test("is less with activations computed again", () => {
    for (const size of [4, 16, 64]) expect(bytes(size, true), `${size}`).toBeLessThan(bytes(size));
  });

  test("is less without a constraint's clean images", () => {
    const plain = fare({ epsilon: 8 / 255, attack: { steps: 2 } });
    const batches = { batch: 64, ...sameMicroBatches(64), recompute: false };
    expect(trainingBytes(encoder, plain, batches)).toBeLessThan(bytes(64));
  });
});

describe("planMemory", () => {
  const plan = (memory: number, recompute = false) => planMemory(encoder, objective, { batch: 64, memory, recompute });

  const usual = { microBatch: 8, primalMicroBatch: 2 };

  test("is the usual micro-batches where they fit", () => {
    expect(usualMicroBatches(encoder, objective, 64)).toEqual(usual);
    for (const memory of [bytesOf(usual), bytes(64)]) {
      expect(plan(memory)).toEqual({ batch: 64, ...usual, recompute: false, bytes: bytesOf(usual) });
    }
  });

  test("is smaller ones in the optimiser's steps before all are smaller", () => {
    const memory = bytesOf({ microBatch: 4, primalMicroBatch: 2 });
    expect(plan(memory)).toMatchObject({ microBatch: 4, primalMicroBatch: 2 });
    expect(plan(memory - 1)).toMatchObject({ microBatch: 4, primalMicroBatch: 1 });
  });

  test("is the largest micro-batches that fit", () => {
    for (const memory of [bytes(1), bytes(2), bytes(3), bytes(3) + 2 ** 20]) {
      const { microBatch, primalMicroBatch, bytes: taken } = plan(memory);
      expect(taken).toBe(bytesOf({ microBatch, primalMicroBatch }));
      expect(taken).toBeLessThanOrEqual(memory);
      if (primalMicroBatch < usual.primalMicroBatch) expect(bytes(primalMicroBatch + 1)).toBeGreaterThan(memory);
      if (microBatch < usual.microBatch)
        expect(bytesOf({ microBatch: microBatch + 1, primalMicroBatch })).toBeGreaterThan(memory);
    }
  });

  test("computes activations again where it is asked for, or nothing else fits", () => {
    expect(plan(bytes(64), true)).toMatchObject({ ...usual, recompute: true });
    expect(plan(bytes(1) - 1)).toMatchObject({ recompute: true });
  });

  test("says how much is needed where nothing fits, and as much is enough", () => {
    const needed = Math.min(bytes(1, true));
    const text = formatBytes(needed);
    const refused = () => plan(2 ** 20);
    expect(refused).toThrow(UsageError);
    expect(refused).toThrow(`1 MiB of memory are too little`);
    expect(refused).toThrow(`takes ${text}.`);
    // An attack step on two images takes no more than an optimiser step on one.
    expect(plan(needed)).toMatchObject({ microBatch: 2, primalMicroBatch: 1, bytes: needed });
    // The text rounds up.
    const enough = Number.parseFloat(text) * 2 ** 20;
    expect(plan(enough)).toMatchObject({ primalMicroBatch: 1, recompute: true });
    expect(plan(enough).bytes).toBeLessThanOrEqual(enough);
  });
});

test("a training process takes what is expected", async () => {
  const options: MemoryOptions = { model: "small", batch: 32, microBatch: 32, recompute: false, batches: 3 };
  const { expectedBytes, measuredBytes } = await compileOnce()<MemoryUse>("step-memory", options);
  // The heap's unused pieces and the garbage collector's moments move it by some ten percent; forgotten
  // weights, or activations counted twice, move it by more than a third.
  expect(measuredBytes / expectedBytes).toBeGreaterThan(0.75);
  expect(measuredBytes / expectedBytes).toBeLessThan(1.15);
}, 120_000);

test("formatBytes rounds up", () => {
  expect(formatBytes(2.301 * 2 ** 30)).toBe("2.31 GiB");
  expect(formatBytes(512 * 2 ** 20)).toBe("512 MiB");
  expect(formatBytes(1)).toBe("1 MiB");
});
