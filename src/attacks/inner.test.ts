import { expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { type InnerAttackOptions, innerAttack } from "./inner.ts";

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
    precision: "float32",
    epsilonDraw: "constant",
    loss: "objective",
  });
  const given = {
    schedule: "apgd",
    norm: "l2",
    epsilon,
    steps: 3,
    start: "zero",
    epsilonDraw: "sqrt",
    loss: "squared-l2",
  } as const;
  expect(innerAttack(given)).toEqual(given);
});

test.each<[InnerAttackOptions, RegExp]>([
  [{ epsilon: 2 }, /Epsilon 2 .*2\/255/],
  [{ epsilon, steps: 0 }, /steps.*0/],
  [{ epsilon, stepSize: -0.1 }, /stepSize.*-0\.1/],
  [{ epsilon, momentum: Number.NaN }, /momentum.*NaN/],
])("%j is refused", (options, message) => {
  expect(() => innerAttack(options)).toThrow(UsageError);
  expect(() => innerAttack(options)).toThrow(message);
});
