import { expect, test } from "vitest";
import { fare } from "../objectives/index.ts";
import { trainingFacts } from "./card-facts.ts";
import { defaultSettings } from "./settings.ts";

const data = { encoder: "e", data: "d", images: 3 };
const epsilon = 2 / 255;
const settings = defaultSettings({ name: "fare" }, 3);

test("a model card says how the inner attack differs from the published one, and nothing where it does not", () => {
  const details = (attack: NonNullable<Parameters<typeof fare>[0]["attack"]>): string | undefined =>
    trainingFacts(fare({ epsilon, attack }), settings, data).attackDetails;
  expect(trainingFacts(fare({ epsilon }), settings, data)).not.toHaveProperty("attackDetails");
  expect(details({ schedule: "apgd" })).toBe("step sizes and momentum of Auto-PGD");
  expect(details({ precision: "int8" })).toBe("products by weights in int8");
});
