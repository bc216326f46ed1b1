import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { type ImageSource, synthetic } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { zeroShotClassifier } from "../inference/index.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { tinyClip } from "../testing/tiny-clip.ts";
import { classifierOf } from "./classifier.ts";

/** Class embeddings are kept on disk: here, not in the user's cache. */
const cache = mkdtempSync(join(tmpdir(), "lore-classifier-"));
vi.stubEnv("XDG_CACHE_HOME", cache);
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

const source = synthetic({ count: 8 });
const names = source.classes!.map(({ name }) => name);
const flags = { method: "tecoa", device: "cpu", threads: 1, seed: 0, onProgress: () => {} } as const;
const [clip, headed] = [tinyClip(), tinyEncoder()];

describe("the classifier of a supervised method", () => {
  test("a head's rows, in the order of the data's classes", async () => {
    const mapped: ImageSource = {
      ...source,
      items: source.items.map((item, i) => ({ ...item, label: i % 2 })),
      classes: [
        { folder: "b", name: "b", headIndex: 5 },
        { folder: "a", name: "a", headIndex: 2 },
      ],
    };
    const { weight, bias } = headed.head!;
    const rows = [5, 2].map((row) => [...weight.data.subarray(16 * row, 16 * (row + 1))]);
    expect(await classifierOf(headed, mapped, flags)).toEqual({
      kind: "linear",
      weight: { dtype: "float32", shape: [2, 16], data: Float32Array.from(rows.flat()) },
      bias: { dtype: "float32", shape: [2], data: Float32Array.of(bias.data[5]!, bias.data[2]!) },
    });
  });

  test("without a head, the class names' text embeddings: TeCoA's template, or those given", async () => {
    const wanted = (template: string) => zeroShotClassifier(clip, names, [template], { threads: 1 });
    const published = await classifierOf(clip, source, flags);
    expect(published).toEqual(await wanted("This is a photo of a {}"));
    expect(published.weight.shape).toEqual([names.length, clip.embeddingSize]);
    const other = await classifierOf(clip, source, { ...flags, templates: "a cat, not a {}" });
    expect(other).toEqual(await wanted("a cat, not a {}"));
    expect(other.weight.data).not.toEqual(published.weight.data);
  });

  test("refused: no labels, nothing to classify by, templates for a head", async () => {
    const { classes: _, ...unlabelled } = source;
    const cases = [
      [clip, unlabelled, flags, /tecoa needs labelled images/],
      [tinyEncoder({ classes: 0 }), source, flags, /no text tower and no classification head.*text weights/],
      [headed, source, { ...flags, templates: "a {}" }, /no text tower: .*no --templates/],
      [clip, source, { ...flags, templates: "no place" }, /Templates "no place"/],
    ] as const;
    for (const [encoder, data, given, message] of cases) {
      await expect(classifierOf(encoder, data, given)).rejects.toThrow(UsageError);
      await expect(classifierOf(encoder, data, given)).rejects.toThrow(message);
    }
  });
});
