import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { pgd } from "../attacks/index.ts";
import { synthetic } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { evaluate } from "../measure/accuracy/evaluate.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { tinyClip } from "../testing/tiny-clip.ts";
import { openTemplates } from "./templates.ts";
import { zeroShotClassifier } from "./zero-shot.ts";

const encoder = tinyClip();
const names = ["cat", "red photo"];
const templates = ["a photo of a {}", "{} of a {}"];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lore-zero-shot-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const unit = (v: readonly number[]): number[] => v.map((x) => x / Math.sqrt(v.reduce((sum, y) => sum + y * y, 0)));

describe("the classifier", () => {
  test("is the mean of unit prompt embeddings, brought to length 1", async () => {
    const { weight, scale, kind } = await zeroShotClassifier(encoder, names, templates, { cache: folder, threads: 1 });
    expect([kind, scale, weight.shape]).toEqual(["cosine", 50, [2, 10]]);
    const prompts = ["a photo of a cat", "cat of a cat", "a photo of a red photo", "red photo of a red photo"];
    const rows = [];
    for (const prompt of prompts) rows.push(unit([...(await encoder.text!.embed([prompt], { threads: 1 }))]));
    for (const [c, pair] of [rows.slice(0, 2), rows.slice(2)].entries()) {
      const mean = unit(pair[0]!.map((x, d) => (x + pair[1]![d]!) / 2));
      // float32 against float64 sums of two terms of order 0.3.
      for (const [d, value] of mean.entries()) expect(weight.data[10 * c + d]).toBeCloseTo(value, 5);
    }
  });

  test("is kept on disk by content, and made again when the file is damaged", async () => {
    const embed = vi.spyOn(encoder.text!, "embed");
    const make = (list = names, forms = templates) => zeroShotClassifier(encoder, list, forms, { cache: folder });
    const first = await make();
    expect((await make()).weight.data).toEqual(first.weight.data);
    expect(embed).toHaveBeenCalledTimes(1);
    await make(["cat", "red"]);
    await make(names, templates.slice(1));
    await zeroShotClassifier(tinyClip({ seed: 1 }), names, templates, { cache: folder });
    expect(readdirSync(folder)).toHaveLength(4);
    expect(embed).toHaveBeenCalledTimes(3);
    for (const file of readdirSync(folder)) writeFileSync(join(folder, file), "damaged");
    expect((await make()).weight.data).toEqual(first.weight.data);
    expect(embed).toHaveBeenCalledTimes(4);
    expect((await make()).weight.data).toEqual(first.weight.data);
    expect(embed).toHaveBeenCalledTimes(4);
    embed.mockRestore();
  });

  test("a cache that cannot be written costs nothing but time", async () => {
    const blocked = join(folder, "file");
    writeFileSync(blocked, "");
    await expect(zeroShotClassifier(encoder, names, templates, { cache: join(blocked, "x") })).resolves.toBeDefined();
  });

  test("needs a text tower, classes and templates", async () => {
    const make = (...args: Parameters<typeof zeroShotClassifier>) => expect(zeroShotClassifier(...args)).rejects;
    await make(tinyEncoder(), names, templates).toThrow(/tiny has no text tower/);
    await make(encoder, [], templates).toThrow(UsageError);
    await make(encoder, names, []).toThrow(UsageError);
  });
});

describe("accuracy", () => {
  const source = synthetic({ count: 24 });
  const attacks = [pgd({ epsilon: 16 / 255, steps: 5 })];

  test("of a CLIP, clean and under attack, over the source's class names", async () => {
    const result = await evaluate(encoder, source, { attacks, threads: 1, batch: 24, cache: folder });
    expect(result).toMatchObject({ encoder: "tiny-clip", images: 24, classes: 8 });
    expect(result.attacks[0]!.accuracy).toBeLessThanOrEqual(result.clean);
    const other = await evaluate(encoder, source, { templates: ["{}", "a {}"], threads: 1, cache: folder });
    expect(readdirSync(folder)).toHaveLength(2);
    expect(other.classes).toBe(8);
  });

  test("templates for an encoder without a text tower are an error, not ignored", async () => {
    const evaluating = evaluate(tinyEncoder(), source, { templates, cache: folder });
    await expect(evaluating).rejects.toThrow(/no text tower/);
  });
});

describe("templates", () => {
  test("by the name of a set, as one template, from a file of lines or JSON", () => {
    expect(openTemplates("imagenet")).toHaveLength(80);
    expect(openTemplates("cifar10")).toHaveLength(18);
    expect(openTemplates("a {}!")).toEqual(["a {}!"]);
    const [lines, json] = [join(folder, "lines.txt"), join(folder, "list.json")];
    writeFileSync(lines, "a photo of a {c}.\n\nthe {}\n");
    writeFileSync(json, '["a photo of a {c}.", "the {}"]');
    for (const file of [lines, json]) expect(openTemplates(file)).toEqual(["a photo of a {}.", "the {}"]);
  });

  test.each([
    ["nothing known", "imagnet", /no such set or file.*imagenet/],
    ["a file without a place for the name", "plain.txt", /number 2, "the"/],
    ["an empty file", "empty.txt", /holds none/],
    ["broken JSON", "broken.json", /begins like JSON but is not/],
    ["JSON of something else", "numbers.json", /array of strings/],
  ])("%s is refused", (_, name, message) => {
    const contents = { "plain.txt": "a {}\nthe", "empty.txt": "\n", "broken.json": "[", "numbers.json": "[1]" };
    for (const [file, content] of Object.entries(contents)) writeFileSync(join(folder, file), content);
    const open = () => openTemplates(name.includes(".") ? join(folder, name) : name);
    expect(open).toThrow(UsageError);
    expect(open).toThrow(message);
  });
});
