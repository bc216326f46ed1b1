import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tinyEncoder } from "../../testing/tiny.ts";
import type { CardFacts } from "./card.ts";
import { recordEvaluation } from "./card-file.ts";
import { saveEncoder } from "./save.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lore-card-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const card = (): string => readFileSync(join(folder, "README.md"), "utf8");
const measured = {
  dataset: "photos",
  images: 100,
  classes: 8,
  clean: 0.9,
  attacks: [{ attack: "pgd", norm: "linf", epsilon: 2 / 255, accuracy: 0.413 }],
};

test("what is measured joins the card, and replaces an earlier measurement on the same images", () => {
  const encoder = tinyEncoder();
  saveEncoder(encoder, folder);
  expect(card()).toContain("has not been measured");
  recordEvaluation(encoder, folder, measured);
  expect(card()).toContain("41.3 %");
  recordEvaluation(encoder, folder, { ...measured, dataset: "pets", clean: 0.755 });
  recordEvaluation(encoder, folder, { ...measured, clean: 0.85 });
  expect(card()).toContain("75.5 %");
  expect(card()).toContain("85.0 %");
  expect(card()).not.toContain("90.0 %");
  expect(card()).not.toContain("has not been measured");
});

test("of a list of attacks its worst case is what the card tells", () => {
  const encoder = tinyEncoder();
  saveEncoder(encoder, folder);
  const list = { attack: "apgd-ce+square", norm: "l2", epsilon: 12, accuracy: 0.2 };
  const stages = [{ attack: "apgd-ce", accuracy: 0.5, seconds: 3 }];
  recordEvaluation(encoder, folder, { ...measured, attacks: [{ ...list, stages, seconds: 3 } as typeof list] });
  expect(card()).toContain("| apgd-ce+square | l2 | 12 | 20.0 % |");
  const { evaluations } = JSON.parse(readFileSync(join(folder, "lore-vision.json"), "utf8")) as CardFacts;
  expect(evaluations![0]!.attacks).toEqual([list]);
});

test("the training settings stay", () => {
  const encoder = tinyEncoder();
  const training = {
    encoder: "openai/clip",
    data: "photos",
    images: 10,
    method: "lore",
    norm: "linf",
    epsilon: 4 / 255,
    attackSteps: 10,
    stepsPerBatch: 5,
    epochs: 1,
    batch: 2,
    learningRate: 1e-5,
    weightDecay: 0,
    seed: 0,
    versions: {},
  };
  saveEncoder(encoder, folder, { card: { training } });
  recordEvaluation(encoder, folder, measured);
  expect(card()).toContain("4/255, 10 steps");
  expect(card()).toContain("41.3 %");
});

test("what speaks against a figure stands beside it", () => {
  const encoder = tinyEncoder();
  saveEncoder(encoder, folder);
  recordEvaluation(encoder, folder, { ...measured, warnings: [] });
  expect(card()).not.toContain("Warnings:");
  recordEvaluation(encoder, folder, { ...measured, warnings: ["2 classes have no images."] });
  expect(card()).toContain("Warnings:\n\n- photos: 2 classes have no images.\n");
});
