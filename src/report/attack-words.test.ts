import { expect, it } from "vitest";
import { attackRank, attackWithBound, attackWords, sizeWords } from "./attack-words.ts";

it("names attacks as the field does, with their steps where the settings tell", () => {
  const settings = ["pgd linf, 20 steps of epsilon / 4", "apgd-ce linf, 100 steps; apgd-t linf, 50 steps, 9 targets"];
  expect(attackWords("pgd", settings)).toBe("PGD-20");
  expect(attackWords("pgd", [])).toBe("PGD");
  expect(attackWords("apgd-ce", settings)).toBe("APGD-CE-100");
  expect(attackWords("apgd-ce+apgd-t", settings)).toBe("APGD-CE-100 and APGD-T-50");
  expect(attackWords("square", ["square linf, 5000 queries"])).toBe("Square");
});

it("only AutoAttack's answer is not called an upper bound", () => {
  expect(attackWithBound("autoattack", [])).toBe("AutoAttack");
  expect(attackWithBound("pgd", [])).toBe("PGD (upper bound)");
  expect(attackWithBound("uniform-noise", [])).toBe("uniform noise");
});

it("ranks stronger attacks first", () => {
  const attacks = ["pgd", "square", "autoattack", "uniform-noise", "apgd-ce", "lore", "fab"];
  expect(attacks.toSorted((a, b) => attackRank(a) - attackRank(b))).toEqual([
    ...["autoattack", "lore", "apgd-ce", "fab", "pgd", "square", "uniform-noise"],
  ]);
});

it("writes sizes in 255ths, with the norm where it is not the usual one", () => {
  expect(sizeWords({ epsilon: 2 / 255, norm: "linf" })).toBe("±2/255");
  expect(sizeWords({ epsilon: 0.5, norm: "l2" })).toBe("l2 0.5");
});
