import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Attack, type AutoAttack, apgd, attackList, noise, pgd } from "../../attacks/index.ts";
import { type ImageSource, openBatches, synthetic } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { readBytes } from "../../files.ts";
import type { Value } from "../../graph/index.ts";
import { imageClassifier } from "../../inference/classes.ts";
import { type Predictions, Predictor } from "../../inference/predictor.ts";
import { type Encoder, frozenWeights } from "../../models/encoder.ts";
import { decodeSafetensors } from "../../safetensors.ts";
import { selfLabelled } from "../../testing/self-labelled.ts";
import { tinyEncoder } from "../../testing/tiny.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { type EvaluateOptions, evaluate } from "./evaluate.ts";
import { type ImageRecord, ResultsFolder } from "./image-records.ts";

const images = 24;
const encoder = tinyEncoder();
const plain = synthetic({ count: images });
let pixels: Float32Array;
let source: ImageSource;

async function predict(by: Encoder, of: Float32Array, labels: readonly number[]): Promise<Predictions> {
  const { classes, logits } = await imageClassifier(by, plain);
  expect(classes).toBe(8);
  const embed = (x: Value): Value => by.embed(x, frozenWeights(x.graph, by.parameters));
  const predictor = await Predictor.compile(
    { name: by.name, imageSize: 8, logits, embed },
    { batch: labels.length, threads: 1 },
  );
  const predictions = await predictor.predict(of, labels);
  await predictor.dispose();
  return predictions;
}

beforeAll(async () => {
  const order = plain.items.map((_, i) => i);
  for await (const batch of openBatches(plain, { size: 8, batch: images, order })) pixels = batch.pixels.slice();
  const { items, ...rest } = await selfLabelled(encoder, plain);
  // Right for all images but the first two.
  source = { ...rest, items: items.map((item, i) => (i < 2 ? { ...item, label: (item.label! + 1) % 8 } : item)) };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lore-measurement-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const open = (options = {}): ResultsFolder => new ResultsFolder(folder, {}, options);
const file = (): string => join(folder, "results.jsonl");
const lines = (): readonly string[] => readFileSync(file(), "utf8").trimEnd().split("\n");
const records = (): readonly ImageRecord[] => lines().map((line) => JSON.parse(line) as ImageRecord);

/** Every adversarial image saved, by its place in the source. */
function savedImages(): ReadonlyMap<number, Float32Array> {
  const saved = new Map<number, Float32Array>();
  for (const name of readdirSync(join(folder, "adversarial"))) {
    const { tensors } = decodeSafetensors(readBytes(join(folder, "adversarial", name)));
    const all = tensors.get("adversarial")!.data as Float32Array;
    const indices = [...(tensors.get("index")!.data as BigInt64Array)].map(Number);
    const size = all.length / indices.length;
    indices.forEach((index, i) => {
      saved.set(index, all.slice(i * size, (i + 1) * size));
    });
  }
  return saved;
}

const measure = (attacks: readonly (Attack | AutoAttack)[], options: EvaluateOptions = {}) =>
  evaluate(encoder, source, { attacks, batch: 5, threads: 1, ...options });

const one = apgd({ epsilon: 2 / 255, steps: 3 });
const other = apgd({ epsilon: 2 / 255, steps: 5, loss: "targeted-dlr", targets: 3 });

describe("a list of attacks", () => {
  test("runs on the images still right; its accuracy is the worst case over all", async () => {
    const { clean, attacks } = await measure([one, other, attackList([one, other])], { results: open() });
    const [first, second, list] = attacks as [(typeof attacks)[0], (typeof attacks)[0], (typeof attacks)[0]];
    expect(clean).toBe((images - 2) / images);
    expect(list).toMatchObject({ attack: "apgd-ce+apgd-t", norm: "linf", epsilon: 2 / 255 });
    expect(list.stages).toMatchObject([
      { attack: "apgd-ce", accuracy: first.accuracy },
      { attack: "apgd-t", accuracy: list.accuracy },
    ]);
    expect(first).not.toHaveProperty("stages");
    const of = (measurement: string, attack: string) =>
      records().filter((record) => record.measurement === `${measurement} linf 2/255` && record.attack === attack);
    const broken = (measurement: string, attack: string) =>
      of(measurement, attack).flatMap(({ index, broken }) => (broken ? [index] : []));
    const either = new Set([...broken("apgd-ce", "apgd-ce"), ...broken("apgd-t", "apgd-t")]);
    // The second breaks images that the first does not.
    expect(either.size).toBeGreaterThan(broken("apgd-ce", "apgd-ce").length);
    expect(list.accuracy).toBeCloseTo((images - 2 - either.size) / images, 12);
    expect(second.accuracy).toBeGreaterThanOrEqual(list.accuracy);
    const survivors = of("apgd-ce+apgd-t", "apgd-ce").flatMap(({ index, broken }) => (broken ? [] : [index]));
    expect(
      of("apgd-ce+apgd-t", "apgd-t")
        .map(({ index }) => index)
        .sort(),
    ).toEqual([...survivors].sort());
  });
});

describe("what is kept", () => {
  test("is a line for every image clean, and one for every image that was attacked", async () => {
    const { clean, attacks } = await measure([one], { results: open() });
    const all = records();
    const cleanLines = all.filter(({ attack }) => attack === "clean");
    expect(cleanLines.map(({ index }) => index).sort((a, b) => a - b)).toEqual(plain.items.map((_, i) => i));
    expect(cleanLines.filter(({ broken }) => !broken).length / images).toBe(clean);
    const attacked = all.filter(({ attack }) => attack === "apgd-ce");
    expect(attacked.filter(({ broken }) => !broken).length / images).toBe(attacks[0]!.accuracy);
    for (const { index, id, label, prediction, margin, broken, iteration, run } of all) {
      expect([id, label]).toEqual([source.items[index]!.id, source.items[index]!.label]);
      expect(margin < 0).toBe(prediction !== label);
      expect(broken).toBe(prediction !== label);
      if (iteration !== undefined) expect([iteration >= 0 && iteration <= 3, run]).toEqual([true, 0]);
    }
  });

  test("is gone on with: only what is missing is measured, and the result is the same", async () => {
    const attacks = [attackList([one, other]), pgd({ epsilon: 1 / 255, steps: 3 })];
    const whole = await measure(attacks, { results: open() });
    const all = lines();
    // As a kill leaves it: some lines, and a part of one.
    const half = all.slice(0, Math.floor(all.length / 2));
    writeFileSync(file(), `${half.join("\n")}\n${all[half.length]!.slice(0, 20)}`);
    const done: string[] = [];
    const again = await measure(attacks, {
      results: open(),
      onProgress: ({ phase }) => done.push(phase),
    });
    expect(again.attacks.map(({ accuracy }) => accuracy)).toEqual(whole.attacks.map(({ accuracy }) => accuracy));
    expect(again.attacks[0]!.stages!.map(({ accuracy }) => accuracy)).toEqual(
      whole.attacks[0]!.stages!.map(({ accuracy }) => accuracy),
    );
    expect(lines().slice(0, half.length)).toEqual(half);
    const outcome = ({ margin: _, ...rest }: ImageRecord): string => JSON.stringify(rest);
    expect(records().map(outcome).sort()).toEqual(all.map((line) => outcome(JSON.parse(line) as ImageRecord)).sort());
    // Once all is there, no attack runs.
    done.length = 0;
    await measure(attacks, { results: open(), onProgress: ({ phase }) => done.push(phase) });
    expect(new Set(done)).toEqual(new Set(["clean"]));
  });

  test("is read, not measured again", async () => {
    const whole = await measure([one], { results: open() });
    const changed = records().map((record) => (record.attack === "apgd-ce" ? { ...record, broken: false } : record));
    expect(whole.attacks[0]!.accuracy).toBeLessThan(whole.clean);
    writeFileSync(file(), changed.map((record) => `${JSON.stringify(record)}\n`).join(""));
    expect((await measure([one], { results: open() })).attacks[0]!.accuracy).toBe(whole.clean);
  });

  test("a signal ends an attack; images that were finished until then are kept", async () => {
    const long = apgd({ epsilon: 2 / 255, steps: 40 });
    const stop = new AbortController();
    const stopped = measure([long], {
      results: open(),
      batch: 16,
      signal: stop.signal,
      onProgress: ({ phase, done }) => {
        // The two that are wrong clean need no attack.
        if (phase !== "clean" && done > 2) stop.abort(new Error("enough"));
      },
    });
    await expect(stopped).rejects.toThrow("enough");
    const { attacked } = open().counts;
    expect(attacked).toBeGreaterThan(0);
    expect(attacked).toBeLessThan(images - 2);
    const resumed = await measure([long], { results: open(), batch: 16 });
    expect(resumed.attacks[0]!.accuracy).toBe((await measure([long], { batch: 16 })).attacks[0]!.accuracy);
  });
});

describe("attacks made on another encoder", () => {
  const surrogate = tinyEncoder({ seed: 1 });

  test("are measured on this one, which withstands them better than its own", async () => {
    const attack = pgd({ epsilon: 8 / 255, steps: 5 });
    const own = await measure([attack]);
    const transfer = await measure([attack], { surrogate, results: open({ saveAdversarial: true }) });
    expect(transfer.clean).toBe(own.clean);
    expect(transfer.attacks[0]!.accuracy).toBeGreaterThan(own.attacks[0]!.accuracy);
    const saved = savedImages();
    const indices = [...saved.keys()];
    const labels = indices.map((i) => source.items[i]!.label!);
    const all = Float32Array.from(indices.flatMap((i) => [...saved.get(i)!]));
    const { classes } = await predict(encoder, all, labels);
    const right = classes.filter((c, i) => c === labels[i]).length;
    expect(transfer.attacks[0]!.accuracy).toBe(right / images);
    // No search ends where only the surrogate is wrong.
    const attacked = records().filter(({ measurement }) => measurement !== "clean");
    expect(attacked.every(({ iteration }) => iteration === 5)).toBe(true);
  });

  test("may be of another kind, seen by its own embeddings", async () => {
    // Embeddings of 10 numbers, where the encoder has 16.
    const attack = apgd({ epsilon: 8 / 255, steps: 3, loss: "embedding-l2" });
    const { attacks } = await measure([attack], { surrogate: tinyClip(), cache: folder });
    expect(attacks[0]).toMatchObject({ attack: "apgd-embedding-l2" });
    expect(attacks[0]!.accuracy).toBeGreaterThan(0);
  });

  test("must take images of the same size", async () => {
    const larger = measure([one], { surrogate: tinyEncoder({ imageSize: 12 }) });
    await expect(larger).rejects.toThrow(UsageError);
    await expect(larger).rejects.toThrow(/12-pixel images, tiny 8-pixel ones.*--image-size/);
  });
});

test("rounded to 8 bits, every image found is one of an image file, within the ball", async () => {
  const epsilon = 2.5 / 255;
  const attack = apgd({ epsilon, steps: 4 });
  const results = open({ saveAdversarial: true });
  const { clean, attacks } = await measure([attack], { quantize: true, results });
  expect(attacks[0]!.accuracy).toBeLessThan(clean);
  const size = 3 * 8 * 8;
  for (const [index, image] of savedImages()) {
    const from = pixels.subarray(index * size, (index + 1) * size);
    // 8-bit numbers in [0, 1] are read back from float32 to 1e-4 of a level; 2.5 levels allow 2.
    expect(image.every((x) => Math.abs(x * 255 - Math.round(x * 255)) < 1e-4)).toBe(true);
    expect(Math.max(...image.map((x, i) => Math.abs(x - from[i]!)))).toBeCloseTo(2 / 255, 6);
  }
});

test("without labels in the loss: away from the clean embedding; noise finds less", async () => {
  const epsilon = 8 / 255;
  const { clean, attacks } = await measure([
    pgd({ epsilon, steps: 10, loss: "embedding-l2" }),
    apgd({ epsilon, steps: 10, loss: "embedding-cosine" }),
    noise({ epsilon }),
    noise({ epsilon, distribution: "gaussian" }),
  ]);
  expect(attacks.map(({ attack, norm }) => [attack, norm])).toEqual([
    ["pgd-embedding-l2", "linf"],
    ["apgd-embedding-cosine", "linf"],
    ["uniform-noise", "linf"],
    ["gaussian-noise", "none"],
  ]);
  const [l2, cosine, uniform] = attacks.map(({ accuracy }) => accuracy) as [number, number, number, number];
  expect(Math.max(l2, cosine)).toBeLessThan(uniform);
  expect(uniform).toBeLessThanOrEqual(clean);
});
