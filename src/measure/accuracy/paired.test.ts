import { expect, test } from "vitest";
import { pgd } from "../../attacks/index.ts";
import { synthetic } from "../../data/index.ts";
import { tinyEncoder } from "../../testing/tiny.ts";
import { evaluate, type Outcomes } from "./evaluate.ts";
import { paired } from "./paired.ts";

const none: Outcomes = { clean: new Set([1, 2, 3, 4]), attacks: [new Set([1])] };

test("differences are of images, not of counts", () => {
  const ours: Outcomes = { clean: new Set([3, 4, 5, 6]), attacks: [new Set([1, 2, 3, 4, 5])] };
  expect(paired("a", none, ours, 10)).toEqual({
    with: "a",
    // Two on either side: as even as can be.
    clean: { difference: 0, gained: 2, lost: 2, p: 1 },
    attacks: [{ difference: 0.4, gained: 4, lost: 0, p: 0.125 }],
  });
});

test("outcomes are the images that accuracies count", async () => {
  let outcomes: Outcomes | undefined;
  const source = synthetic({ count: 24 });
  const { clean, attacks, images } = await evaluate(tinyEncoder(), source, {
    ...{ threads: 1, offset: 4, limit: 16 },
    attacks: [pgd({ epsilon: 1 / 255, steps: 1 }), pgd({ epsilon: 16 / 255, steps: 3 })],
    onOutcomes: (found) => {
      outcomes = found;
    },
  });
  expect(outcomes!.clean.size).toBe(clean * images);
  expect(outcomes!.attacks.map(({ size }) => size)).toEqual(attacks.map(({ accuracy }) => accuracy * images));
  for (const attack of outcomes!.attacks) for (const image of attack) expect(outcomes!.clean.has(image)).toBe(true);
});
