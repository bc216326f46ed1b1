import { assertType, describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import type { Classifier } from "../models/index.ts";
import { type Constraint, classThresholds, paperDual, thresholds } from "./constraint.ts";
import { fare, type LoreOptions, lore, naive, type TecoaConstraint, type TecoaOptions, tecoa } from "./objective.ts";

const classifier: Classifier = {
  kind: "cosine",
  weight: { dtype: "float32", shape: [2, 2], data: Float32Array.of(1, 0, 0, 1) },
  scale: 100,
};

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

  test("of class distributions: relative to the entropy, or the same for every image", () => {
    const entropy = Float32Array.of(0, 0.5, 2);
    expect(classThresholds({ kind: "entropy", rho: 0.5 }, entropy)).toEqual(Float32Array.of(0, 0.25, 1));
    expect(classThresholds({ kind: "fixed", threshold: 0.25 }, entropy)).toEqual(Float32Array.of(0.25, 0.25, 0.25));
  });

  test("an embedding of zero allows nothing", () => {
    expect(thresholds({ kind: "relative", rho: 0.1, exponent: 2 }, new Float32Array(3), 3)).toEqual(Float32Array.of(0));
  });
});

describe("defaults", () => {
  const attack = {
    schedule: "fixed",
    norm: "linf",
    epsilon: 0.04,
    steps: 10,
    stepSize: 0.01,
    start: "uniform",
    momentum: 0,
    precision: "float32",
    epsilonDraw: "constant",
    loss: "objective",
  };

  test("LORE is the paper's section 5 and appendix C", () => {
    expect(lore({ epsilon: 0.04 })).toEqual({
      name: "lore",
      loss: { kind: "squared-l2" },
      attack,
      stepsPerBatch: 5,
      constraint: {
        divergence: "embedding",
        distance: { kind: "squared-l2" },
        margin: { kind: "relative", rho: 0.1, exponent: 2 },
        dual: { kind: "network", hidden: 512, initial: Math.LN2, learningRate: 5e-4 },
      },
    });
  });

  test("FARE is LORE without the constraint and K = 1", () => {
    expect(fare({ epsilon: 0.04 })).toEqual({
      name: "fare",
      loss: { kind: "squared-l2" },
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
      loss: { kind: "squared-l2" },
      attack,
      stepsPerBatch: 1,
      constraint: {
        divergence: "embedding",
        distance: { kind: "squared-l2" },
        margin: { kind: "fixed", threshold: 0 },
        dual: { kind: "constant", value: 3 },
      },
    });
  });

  test("TeCoA: cross-entropy, no constraint, K = 1", () => {
    expect(tecoa({ epsilon: 0.04, classifier })).toEqual({
      name: "tecoa",
      loss: { kind: "cross-entropy", classifier },
      attack,
      stepsPerBatch: 1,
      constraint: undefined,
    });
  });

  test("TeCoA with LORE's constraint: the same in embedding space; the entropy margin for classes", () => {
    const constraintOf = (divergence: "embedding" | "classes") =>
      tecoa({ epsilon: 0.04, classifier, constraint: { divergence } }).constraint;
    expect(constraintOf("embedding")).toEqual(lore({ epsilon: 0.04 }).constraint);
    expect(constraintOf("classes")).toEqual({
      divergence: "classes",
      classifier,
      margin: { kind: "entropy", rho: 0.1 },
      dual: paperDual,
    });
    const dual = { kind: "constant", value: 2 } as const;
    const margin = { kind: "fixed", threshold: 0.3 } as const;
    for (const divergence of ["embedding", "classes"] as const) {
      const constraint = { divergence, dual, margin };
      expect(tecoa({ epsilon: 0.04, classifier, constraint }).constraint).toMatchObject(constraint);
    }
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
    [
      "rho of an entropy margin",
      () =>
        tecoa({
          epsilon: 0.1,
          classifier,
          constraint: { divergence: "classes", margin: { kind: "entropy", rho: Number.NaN } },
        }),
      /margin.*NaN/,
    ],
    [
      "TeCoA's dual",
      () =>
        tecoa({
          epsilon: 0.1,
          classifier,
          constraint: { divergence: "embedding", dual: { ...dual, learningRate: 0 } },
        }),
      /dual learning rate.*0/,
    ],
    ["weight", () => naive({ epsilon: 0.1, weight: -1 }), /lambda.*-1/],
  ])("%s", (_, make, message) => {
    expect(make).toThrow(UsageError);
    expect(make).toThrow(message);
  });
});

test("misuse does not compile: an expected error that is none fails the type check", () => {
  const epsilon = 0.1;
  const dual = paperDual;
  const entropy = { kind: "entropy", rho: 0.1 } as const;
  const relative = { kind: "relative", rho: 0.1, exponent: 2 } as const;
  // @ts-expect-error: a supervised objective needs a classifier
  assertType<TecoaOptions>({ epsilon });
  // @ts-expect-error: class distributions need a classifier
  assertType<Constraint>({ divergence: "classes", margin: entropy, dual });
  // @ts-expect-error: LORE knows no classes to take an entropy of
  assertType<LoreOptions>({ epsilon, margin: entropy });
  // @ts-expect-error: distances between embeddings have no entropy margin
  assertType<TecoaConstraint>({ divergence: "embedding", margin: entropy });
  // @ts-expect-error: a divergence in nats is not measured by the embedding's norm
  assertType<TecoaConstraint>({ divergence: "classes", margin: relative });
  // @ts-expect-error: FARE is the objective without a constraint
  assertType<Parameters<typeof fare>[0]>({ epsilon, constraint: { divergence: "embedding" } });
});
