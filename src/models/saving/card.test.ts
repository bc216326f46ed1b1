import { describe, expect, test } from "vitest";
import { tinyEncoder } from "../../testing/tiny.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { type MeasuredRobustness, modelCard, type TrainingFacts } from "./card.ts";

const training: TrainingFacts = {
  encoder: "openai/clip-vit-base-patch32@main",
  data: "photos",
  images: 1920,
  method: "lore",
  norm: "linf",
  epsilon: 2 / 255,
  attackSteps: 10,
  stepsPerBatch: 5,
  constraint: "squared distance at most 0.1 ||z0||^2",
  epochs: 2,
  batch: 64,
  learningRate: 1e-5,
  weightDecay: 1e-4,
  seed: 7,
  versions: { "lore-vision": "0.1.0", onnxruntime: "1.30.0" },
};

const measured: MeasuredRobustness = {
  dataset: "pets",
  images: 500,
  classes: 37,
  clean: 0.8125,
  attacks: [{ attack: "pgd", norm: "linf", epsilon: 2 / 255, accuracy: 0.314 }],
};

/** The lines between the first two `---`. */
function frontMatter(card: string): readonly string[] {
  const lines = card.split("\n");
  expect(lines[0]).toBe("---");
  return lines.slice(1, lines.indexOf("---", 1));
}

describe("front matter", () => {
  test("of a CLIP that was trained from a repository of the hub", () => {
    expect(frontMatter(modelCard(tinyClip(), { training }))).toEqual([
      "library_name: transformers",
      "pipeline_tag: zero-shot-image-classification",
      'base_model: "openai/clip-vit-base-patch32"',
      "tags:",
      "- lore-vision",
      "- adversarial-robustness",
      "- transformers.js",
      "- onnx",
    ]);
  });

  test("names no base model where the hub has none of that name, and no license", () => {
    for (const encoder of ["tiny", "/data/clip", "a/b/c"]) {
      expect(modelCard(tinyClip(), { training: { ...training, encoder } })).not.toMatch(/^(base_model|license):/m);
    }
  });

  test("of an encoder without text", () => {
    const lines = frontMatter(modelCard(tinyEncoder(), {}));
    expect(lines.slice(0, 2)).toEqual(["library_name: timm", "pipeline_tag: image-feature-extraction"]);
  });
});

test("the training's settings are in it as given", () => {
  const card = modelCard(tinyClip(), { training });
  for (const row of [
    "| method | lore |",
    "| adversarial images | linf, epsilon 2/255, 10 steps of PGD |",
    "| optimiser steps a batch (K) | 5 |",
    "| clean images | squared distance at most 0.1 \\|\\|z0\\|\\|^2 |",
    "| data | photos, 1920 images |",
    "| learning rate | 0.00001 |",
    "| seed | 7 |",
    "| versions | lore-vision 0.1.0, onnxruntime 1.30.0 |",
  ])
    expect(card.split("\n")).toContain(row);
  expect(card).toContain("fine-tuned");
});

test("robustness is what was measured", () => {
  const card = modelCard(tinyClip(), { evaluations: [measured] });
  expect(card.split("\n")).toContain("| pets, 500 images, 37 classes | none |  |  | 81.3 % |");
  expect(card.split("\n")).toContain("| pets, 500 images, 37 classes | pgd | linf | 2/255 | 31.4 % |");
  expect(card).not.toContain("not been measured");
});

test("claims nothing that it was not told", () => {
  const card = modelCard(tinyClip(), {});
  expect(card).not.toContain("fine-tuned");
  expect(card).toContain("has not been measured");
  expect(card).toContain("lore evaluate");
  // Without a head or a text tower there is nothing that the command could measure.
  const bare = modelCard(tinyEncoder({ classes: 0 }), {});
  expect(bare).toContain("has not been measured");
  expect(bare).not.toContain("lore evaluate");
});
