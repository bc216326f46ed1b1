import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { pgd } from "../../attacks/index.ts";
import { balancedSubset, type ImageClass, type ImageSource, openBatches, synthetic } from "../../data/index.ts";
import { formatEpsilon } from "../../epsilon.ts";
import { UsageError } from "../../errors.ts";
import { Graph } from "../../graph/index.ts";
import { headRows } from "../../inference/classes.ts";
import { classify } from "../../models/classifier.ts";
import { frozenWeights } from "../../models/encoder.ts";
import { compile } from "../../runtime/index.ts";
import { tinyEncoder } from "../../testing/tiny.ts";
import { type EvaluationProgress, evaluate } from "./evaluate.ts";
import { ResultsFolder } from "./image-records.ts";

const encoder = tinyEncoder({ classes: 10 });
const images = 24;
const plain = synthetic({ count: images });
/** Rows of the head that stand for the classes, out of order and not all of them. */
const rows = [7, 2, 9, 0];
const classes = rows.map((headIndex): ImageClass => ({ folder: `c${headIndex}`, name: `c${headIndex}`, headIndex }));

/** Generated pictures with these labels. */
function labelled(labels: readonly number[]): ImageSource {
  return { name: "labelled", items: plain.items.map((item, i) => ({ ...item, label: labels[i]! })), classes };
}

let predictions: readonly number[];
beforeAll(async () => {
  const g = new Graph();
  const pixels = g.input("pixels", "float32", [images, 3, 8, 8]);
  const logits = classify(encoder.embed(pixels, frozenWeights(g, encoder.parameters)), encoder.head!);
  const program = await compile({ logits }, { threads: 1 });
  const order = plain.items.map((_, i) => i);
  for await (const batch of openBatches(plain, { size: 8, batch: images, order })) {
    const all = (await program.run({ pixels: batch.pixels })).logits as Float32Array;
    // The largest among the four rows, counted by hand from all ten.
    predictions = order.map((i) => {
      const scores = rows.map((row) => all[10 * i + row]!);
      return scores.indexOf(Math.max(...scores));
    });
  }
  await program.dispose();
});

/** Right for two images of three. */
const mostlyRight = (): ImageSource => labelled(predictions.map((p, i) => (i % 3 === 0 ? (p + 1) % 4 : p)));

describe("accuracy", () => {
  test("is the hand count, over the head's rows that the classes name", async () => {
    expect(await evaluate(encoder, mostlyRight(), { threads: 1, batch: 7 })).toEqual({
      encoder: "tiny",
      dataset: "labelled",
      skipped: 0,
      images,
      classes: 4,
      clean: 16 / 24,
      attacks: [],
      warnings: [],
    });
  });

  test("under attack: at most clean, falling with epsilon, the same for any batch size", async () => {
    const attacks = [
      pgd({ epsilon: 0, steps: 1 }),
      pgd({ epsilon: 1 / 255, steps: 3 }),
      pgd({ epsilon: 16 / 255, steps: 5, restarts: 2 }),
      pgd({ epsilon: 0.3, norm: "l2", steps: 5, momentum: 0.75 }),
    ];
    const seen: EvaluationProgress[] = [];
    const onProgress = (progress: EvaluationProgress) => seen.push(progress);
    // Batches of 1 and of 2 make several chunks of images to attack, 24 and more makes one.
    const [one, two, many] = [
      await evaluate(encoder, mostlyRight(), { threads: 1, attacks, batch: 1 }),
      await evaluate(encoder, mostlyRight(), { threads: 1, attacks, batch: 2, onProgress }),
      await evaluate(encoder, mostlyRight(), { threads: 1, attacks, batch: 64 }),
    ];
    const accuracies = two.attacks.map(({ accuracy }) => accuracy);
    expect(two.attacks).toMatchObject(attacks.map(({ kind, norm, epsilon }) => ({ attack: kind, norm, epsilon })));
    expect(accuracies[0]).toBe(two.clean);
    expect(accuracies[1]).toBeLessThanOrEqual(two.clean);
    expect(accuracies[2]).toBeLessThan(accuracies[1]!);
    expect(accuracies[3]).toBeLessThan(two.clean);
    for (const other of [one, many]) {
      expect(other.clean).toBe(two.clean);
      expect(other.attacks.map(({ accuracy }) => accuracy)).toEqual(accuracies);
    }
    expect(new Set(seen.map(({ phase }) => phase))).toEqual(
      new Set(["clean", "pgd 0", "pgd 1/255", "pgd 16/255", "pgd 0.3"]),
    );
    expect(seen.every(({ done, total }) => done >= 0 && done <= total && total === images)).toBe(true);
  });

  test("an image's random start is its own, whatever chunk it is attacked in", async () => {
    // Without a step only the start decides what breaks.
    const attacks = [8, 16, 32, 48].map((levels) => pgd({ epsilon: levels / 255, steps: 1, stepSize: 0 }));
    const [chunks, whole] = [
      await evaluate(encoder, mostlyRight(), { threads: 1, attacks, batch: 1 }),
      await evaluate(encoder, mostlyRight(), { threads: 1, attacks, batch: 64 }),
    ];
    expect(chunks.attacks.map(({ accuracy }) => accuracy)).toEqual(whole.attacks.map(({ accuracy }) => accuracy));
    expect(new Set(whole.attacks.map(({ accuracy }) => accuracy)).size).toBeGreaterThan(1);
  });

  test("a limit takes the classes in turn, the same images for the same seed", async () => {
    const attacks = [pgd({ epsilon: 4 / 255, steps: 2 })];
    const measure = async (seed: number) => {
      const result = await evaluate(encoder, mostlyRight(), { threads: 1, limit: 8, seed, attacks, batch: 3 });
      return { ...result, attacks: result.attacks.map(({ accuracy }) => accuracy) };
    };
    const first = await measure(1);
    expect(first.images).toBe(8);
    expect(await measure(1)).toEqual(first);
    const source = mostlyRight();
    const used = balancedSubset(source, 8, 1);
    expect(first.clean).toBe(used.filter((i) => i % 3 !== 0).length / 8);
  });
});

describe("what cannot be evaluated", () => {
  const head = encoder.head!;
  const withClasses = (list: readonly ImageClass[]): ImageSource => ({
    ...labelled(Array(images).fill(0)),
    classes: list,
  });

  test("an encoder without a head", async () => {
    const evaluating = evaluate(tinyEncoder({ classes: 0 }), mostlyRight());
    await expect(evaluating).rejects.toThrow(UsageError);
    await expect(evaluating).rejects.toThrow(/tiny has neither a classification head nor a text tower/);
  });

  test("images without labels", () => {
    const { classes: _, ...unlabelled } = mostlyRight();
    expect(() => headRows(unlabelled, head)).toThrow(UsageError);
    expect(() => headRows(unlabelled, head)).toThrow(/labelled: .*one sub-folder a class/);
  });

  test("classes that nothing maps to the head", () => {
    const unmapped = classes.map(({ folder, name }) => ({ folder, name }));
    expect(() => headRows(withClasses(unmapped), head)).toThrow(UsageError);
    expect(() => headRows(withClasses(unmapped), head)).toThrow(/4 classes.*head 10.*--classes/);
  });

  test("a class that the class file leaves out, though the numbers agree", () => {
    const all = Array.from(
      { length: 10 },
      (_, i): ImageClass => ({ folder: `f${i}`, name: "", ...(i !== 6 && { headIndex: i }) }),
    );
    expect(() => headRows(withClasses(all), head)).toThrow(/no index of the head for the folder f6/);
  });

  test("an index outside the head", () => {
    const outside = [{ folder: "a", name: "a", headIndex: 10 }];
    expect(() => headRows(withClasses(outside), head)).toThrow(/class index 10 is outside the head's 10 classes/);
  });

  test("as many classes as rows need no mapping", () => {
    const all = Array.from({ length: 10 }, (_, i): ImageClass => ({ folder: `f${i}`, name: "" }));
    expect(headRows(withClasses(all), head)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(headRows(withClasses(classes), head)).toEqual(rows);
  });

  test("files of which none is an image", async () => {
    const missing: ImageSource = {
      name: "broken",
      items: [{ id: "a.png", label: 0, location: { kind: "file", path: "no/such/file.png" } }],
      classes,
    };
    const skipped: string[] = [];
    const evaluating = evaluate(encoder, missing, { onSkip: ({ id }) => skipped.push(id) });
    await expect(evaluating).rejects.toThrow(/broken: none of the images could be read/);
    expect(skipped).toEqual(["a.png"]);
    await expect(evaluate(encoder, missing, { strict: true })).rejects.toThrow(/no\/such\/file\.png/);
  });
});

test.each([
  [2 / 255, "2/255"],
  [0.5 / 255, "0.5/255"],
  [0.03, "0.03"],
  [0.031234, "0.03123"],
  [0, "0"],
  [1, "1"],
  [0.5, "0.5"],
  [128 / 255, "128/255"],
  [12, "12"],
  [1.23456, "1.235"],
])("%d is written %s", (epsilon, text) => {
  expect(formatEpsilon(epsilon)).toBe(text);
});

test("attacks whose results would go by the same name are refused where results are kept", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lore-distinct-"));
  const results = new ResultsFolder(join(folder, "out"), {});
  const attacks = [0.01, 0.010000001].map((epsilon) => pgd({ epsilon, steps: 1 }));
  await expect(evaluate(encoder, mostlyRight(), { threads: 1, attacks, results })).rejects.toThrow(
    /Two of the attacks.*"pgd linf 0.01"/,
  );
  const { attacks: measured } = await evaluate(encoder, mostlyRight(), { threads: 1, attacks });
  expect(measured).toHaveLength(2);
  rmSync(folder, { recursive: true });
});
