import { describe, expect, test } from "vitest";
import { pgd } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { thresholds } from "./constraint.ts";
import { fare, lore, naive } from "./objective.ts";

describe("thresholds", () => {
  // Norms 5 and 2.
  const embeddings = Float32Array.of(3, 0, 4, 0, -2, 0);

  test.each([
    [2, [2.5, 0.4]],
    [1, [0.5, 0.2]],
    [0, [0.1, 0.1]],
  ])("relative to the norm to the power %d", (exponent, wanted) => {
    const got = thresholds({ kind: "relative", rho: 0.1, exponent }, embeddings, 3);
    expect(got).toEqual(Float32Array.from(wanted));
  });

  test("a fixed margin is the same for every image", () => {
    expect(thresholds({ kind: "fixed", threshold: 0.7 }, embeddings, 3)).toEqual(Float32Array.of(0.7, 0.7));
  });

  test("an embedding of zero allows nothing", () => {
    expect(thresholds({ kind: "relative", rho: 0.1, exponent: 2 }, new Float32Array(3), 3)).toEqual(Float32Array.of(0));
  });
});

describe("defaults", () => {
  const attack = pgd({ epsilon: 0.04, steps: 10, stepSize: 0.01, start: "uniform", momentum: 0 });

  test("LORE is the paper's section 5 and appendix C", () => {
    expect(lore({ epsilon: 0.04 })).toEqual({
      name: "lore",
      loss: { kind: "embedding" },
      attack,
      stepsPerBatch: 5,
      constraint: {
        divergence: "embedding",
        margin: { kind: "relative", rho: 0.1, exponent: 2 },
        dual: { kind: "network", hidden: 512, initial: Math.LN2, learningRate: 5e-4 },
      },
    });
  });

  test("FARE is LORE without the constraint and K = 1", () => {
    expect(fare({ epsilon: 0.04 })).toEqual({
      name: "fare",
      loss: { kind: "embedding" },
      attack,
      stepsPerBatch: 1,
      constraint: undefined,
    });
    const { constraint: _, name: __, ...shared } = lore({ epsilon: 0.04 });
    expect(fare({ epsilon: 0.04, stepsPerBatch: 5 })).toMatchObject(shared);
  });

  test("the naive regulariser: a constant times the clean distance itself", () => {
    expect(naive({ epsilon: 0.04, weight: 3 })).toEqual({
      name: "naive",
      loss: { kind: "embedding" },
      attack,
      stepsPerBatch: 1,
      constraint: {
        divergence: "embedding",
        margin: { kind: "fixed", threshold: 0 },
        dual: { kind: "constant", value: 3 },
      },
    });
  });

  test("the inner attack can be changed in part", () => {
    expect(fare({ epsilon: 0.04, attack: { steps: 3, norm: "l2" } }).attack).toEqual({
      ...attack,
      steps: 3,
      norm: "l2",
    });
  });
});

describe("what cannot be used", () => {
  const dual = { kind: "network", hidden: 512, initial: Math.LN2, learningRate: 5e-4 } as const;
  test.each<[string, () => unknown, RegExp]>([
    ["epsilon", () => lore({ epsilon: 2 }), /Epsilon 2/],
    ["K", () => fare({ epsilon: 0.1, stepsPerBatch: 0 }), /Steps per batch.*0/],
    ["rho", () => lore({ epsilon: 0.1, margin: { kind: "relative", rho: -1, exponent: 2 } }), /margin.*-1/],
    [
      "exponent",
      () => lore({ epsilon: 0.1, margin: { kind: "relative", rho: 1, exponent: Number.NaN } }),
      /exponent.*NaN/,
    ],
    ["threshold", () => lore({ epsilon: 0.1, margin: { kind: "fixed", threshold: Number.NaN } }), /margin.*NaN/],
    ["dual learning rate", () => lore({ epsilon: 0.1, dual: { ...dual, learningRate: 0 } }), /dual learning rate.*0/],
    [
      "initial",
      () => lore({ epsilon: 0.1, dual: { kind: "scalar", initial: 0, learningRate: 1 } }),
      /above 0.*constant/,
    ],
    ["value", () => lore({ epsilon: 0.1, dual: { kind: "constant", value: -1 } }), /lambda.*-1/],
    ["weight", () => naive({ epsilon: 0.1, weight: -1 }), /lambda.*-1/],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(UsageError);
    expect(make).toThrow(message);
  });
});
