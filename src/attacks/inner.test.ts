import { expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { type InnerAttackOptions, innerAttack, lowResolutionSteps } from "./inner.ts";

const epsilon = 0.04;

test("defaults: ten fixed steps of epsilon / 4 from a uniform start; APGD has no step size", () => {
  expect(innerAttack({ epsilon })).toEqual({
    schedule: "fixed",
    norm: "linf",
    epsilon,
    steps: 10,
    stepSize: 0.01,
    start: "uniform",
    momentum: 0,
    lowResolution: 0,
    precision: "float32",
  });
  const given = { schedule: "apgd", norm: "l2", epsilon, steps: 3, start: "previous" } as const;
  expect(innerAttack(given)).toEqual(given);
});

test.each([
  [10, 0, 0],
  [10, 0.5, 5],
  [5, 0.5, 3],
  [3, 0.3, 1],
  // The last step is at full resolution.
  [1, 0.9, 0],
  [10, 0.99, 9],
])("of %d steps a share of %d: %d at low resolution", (steps, lowResolution, expected) => {
  expect(lowResolutionSteps(innerAttack({ epsilon, steps, lowResolution }))).toBe(expected);
});

test.each<[InnerAttackOptions, RegExp]>([
  [{ epsilon: 2 }, /Epsilon 2 .*2\/255/],
  [{ epsilon, steps: 0 }, /steps.*0/],
  [{ epsilon, stepSize: -0.1 }, /step size.*-0\.1/],
  [{ epsilon, momentum: Number.NaN }, /momentum.*NaN/],
  [{ epsilon, lowResolution: 1 }, /share.*1/],
  [{ epsilon, lowResolution: -0.1 }, /share.*-0\.1/],
  [{ epsilon, schedule: "apgd", stepSize: 0.01 }, /APGD has its own step size/],
  [{ epsilon, schedule: "apgd", momentum: 0.9 }, /APGD has its own step size and momentum/],
  [{ epsilon, schedule: "apgd", lowResolution: 0.5 }, /two resolutions/],
  [{ epsilon, schedule: "apgd", precision: "int8" }, /fixed steps in int8/],
  [{ epsilon, lowResolution: 0.5, precision: "int8" }, /one or the other/],
])("%j is refused", (options, message) => {
  expect(() => innerAttack(options)).toThrow(UsageError);
  expect(() => innerAttack(options)).toThrow(message);
});
