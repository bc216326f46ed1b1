import { expect, test } from "vitest";
import { apgd, attackList, autoAttack, fab, noise, pgd, square } from "../attacks/index.ts";
import type { AttackResult, Evaluation } from "../results/index.ts";
import { describeAttack } from "./attack.ts";
import { evaluationTable } from "./evaluation.ts";

const evaluation = (encoder: string, attacks: readonly AttackResult[]): Evaluation => ({
  ...{ encoder, dataset: "photos", images: 8, classes: 8, clean: 0.875 },
  attacks,
  skipped: 0,
  warnings: [],
});
const single = (epsilon: number): AttackResult => ({
  ...{ attack: "pgd", norm: "linf", epsilon },
  accuracy: 0.5,
  seconds: 9,
});
const list: AttackResult = {
  ...{ attack: "autoattack", norm: "l2", epsilon: 2, accuracy: 0.25, seconds: 75.26 },
  stages: [
    { attack: "apgd-ce", accuracy: 0.5, seconds: 12 },
    { attack: "apgd-t", accuracy: 0.25, seconds: 63.26 },
  ],
};

test("one column an attack and epsilon", () => {
  expect(evaluationTable([evaluation("a", [single(2 / 255), single(4 / 255)])]).split("\n")).toEqual([
    "encoder           clean       pgd 2/255       pgd 4/255",
    "-------  --------------  --------------  --------------",
    "a        87.5 % [53-98]  50.0 % [22-78]  50.0 % [22-78]",
  ]);
});

test("of a list the worst case, and below what each attack left", () => {
  expect(evaluationTable([evaluation("a", [list])]).split("\n")).toEqual([
    "encoder           clean   autoattack 2",
    "-------  --------------  -------------",
    "a        87.5 % [53-98]  25.0 % [7-59]",
    "",
    "left after          apgd-ce         apgd-t",
    "------------  -------------  -------------",
    "autoattack 2  50.0 % 12.0 s  25.0 % 63.3 s",
  ]);
});

test("beside the first encoder: points, and whether chance alone makes them", () => {
  const paired = {
    with: "a",
    clean: { difference: -0.125, gained: 0, lost: 1, p: 1 },
    attacks: [{ difference: 0.25, gained: 2, lost: 0, p: 0.0002 }],
  };
  const both = [evaluation("a", [single(2 / 255)]), { ...evaluation("b", [single(2 / 255)]), paired }];
  expect(evaluationTable(both).split("\n").slice(-3)).toEqual([
    "beside a              clean          pgd 2/255",
    "--------  -----------------  -----------------",
    "b         -12.5 (p = 1.000)  +25.0 (p < 0.001)",
  ]);
});

test("of several encoders, whose", () => {
  const lines = evaluationTable([evaluation("a", [list]), evaluation("b", [list])]).split("\n");
  expect(lines.slice(-2).map((line) => line.slice(0, 14))).toEqual(["a autoattack 2", "b autoattack 2"]);
});

test("settings in words", () => {
  const epsilon = 2 / 255;
  expect(describeAttack(pgd({ epsilon }))).toBe("pgd linf, 20 steps of epsilon / 4");
  expect(describeAttack(pgd({ epsilon, stepSize: 1 / 255, momentum: 0.75, restarts: 3, norm: "l2" }))).toBe(
    "pgd l2, 20 steps of 1/255, momentum 0.75, 3 runs",
  );
  expect(describeAttack(apgd({ epsilon, eot: 20 }))).toBe("apgd-ce linf, 100 steps, mean of 20 evaluations");
  expect(describeAttack(fab({ epsilon, targeted: false }))).toBe("fab linf, 100 steps");
  expect(describeAttack(noise({ epsilon, distribution: "gaussian", restarts: 2 }))).toBe("gaussian-noise, 2 runs");
  expect(describeAttack(autoAttack({ epsilon, version: "lore" }))).toBe(
    "apgd-ce linf, 100 steps, 5 runs; apgd-t linf, 100 steps, 9 targets",
  );
  expect(describeAttack(attackList([fab({ epsilon }), square({ epsilon })]))).toBe(
    "fab-t linf, 100 steps, 9 targets; square linf, 5000 queries",
  );
});
