import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { imageFolder, type SkippedImage, synthetic } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { loadEncoder } from "../models/index.ts";
import { fare, lore, type Objective, robust, tecoa } from "../objectives/index.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { type FinetuneOptions, type FinetuneResult, finetune } from "./finetune.ts";
import type { StepMetrics } from "./metrics.ts";
import { NonFiniteError } from "./non-finite.ts";
import { readRun } from "./run-folder.ts";

const base = mkdtempSync(join(tmpdir(), "lore-finetune-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `${count++}`);

const encoder = tinyEncoder();
const source = synthetic({ count: 20 });
const epsilon = 8 / 255;
const attack = { steps: 2 };
const dual = { kind: "network", hidden: 16, initial: Math.LN2, learningRate: 1e-2 } as const;
// 20 images in batches of 8: three steps an epoch, the last one of half a batch.
const settings = { batch: 8, epochs: 2, learningRate: 1e-3, microBatch: 3, seed: 1 } as const;

/** Tiny products gain nothing from a second thread, whose waiting costs other tests their time. */
const single = { threads: 1 } as const;

/** Trains until `stopAfter` steps are done, or to the end. */
async function train(
  objective: Objective,
  options: FinetuneOptions & { readonly stopAfter?: number; readonly memory?: never },
  data = source,
): Promise<FinetuneResult> {
  const { stopAfter, ...rest } = options;
  const controller = new AbortController();
  return finetune(encoder, data, objective, {
    ...settings,
    ...single,
    ...rest,
    signal: controller.signal,
    onStep: ({ step }) => {
      if (step === stopAfter) controller.abort();
    },
  });
}

const checkpointOf = (run: string): Buffer => readFileSync(join(run, "checkpoints", "last.safetensors"));
const encoderOf = (run: string): Buffer => readFileSync(join(run, "encoder", "model.safetensors"));
function metricsOf(run: string): readonly StepMetrics[] {
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as StepMetrics);
}
const timeless = (metrics: readonly StepMetrics[]) => metrics.map(({ imagesPerSecond: _, ...rest }) => rest);

const contrastive = robust({
  epsilon,
  distance: { kind: "contrastive", temperature: 0.2, bank: 4 },
  attack: { epsilonDraw: "sqrt", loss: "squared-l2" },
  constraint: { dual },
});

describe("embeddings that fall apart at a rate that nobody asked for", () => {
  // A last norm a hundred thousand times smaller: the recipe's rate moves it by its own size at once.
  const fragile = encoder.withParameters(
    new Map(
      [...encoder.parameters].map(([name, tensor]) => [
        name,
        name === "norm.weight" ? { ...tensor, data: tensor.data.map((x) => 1e-5 * x) } : tensor,
      ]),
    ),
  );
  const many = synthetic({ count: 64 });
  const go = (options: FinetuneOptions) => {
    const warnings: string[] = [];
    const rates: number[] = [];
    const result = finetune(fragile, many, robust({ epsilon, attack: { steps: 1 } }), {
      ...{ batch: 2, epochs: 1, limit: 48, seed: 1, ...single, ...options },
      onWarning: (message) => warnings.push(message),
      onStep: ({ learningRate }) => rates.push(learningRate),
    });
    return result.then((ended) => ({ ...ended, warnings, rates }));
  };

  test("training begins again at a third of it, and says so; the run's metrics are those of the last attempt", async () => {
    const run = fresh();
    const { warnings, steps, rates } = await go({ run });
    expect(warnings.join()).toMatch(/collapsed at step \d+: beginning again at a learning rate of 0\.00020/);
    expect(steps).toBe(24);
    expect(metricsOf(run)).toHaveLength(24);
    const attempts = warnings.filter((warning) => warning.includes("beginning again")).length;
    expect(Math.max(...rates.slice(-24))).toBeCloseTo(6e-4 / 3 ** attempts, 9);
    expect(readFileSync(join(run, "encoder", "README.md"), "utf8")).toContain(`${6e-4 / 3 ** attempts}`);
  });

  test("interrupted and resumed, it is the same run", async () => {
    const [whole, parts] = [fresh(), fresh()];
    await go({ run: whole });
    const controller = new AbortController();
    let seen = 0;
    const stopped = await finetune(fragile, many, robust({ epsilon, attack: { steps: 1 } }), {
      ...{ batch: 2, epochs: 1, limit: 48, seed: 1, ...single, run: parts, signal: controller.signal },
      onStep: () => {
        seen++;
        if (seen === 4) controller.abort();
      },
    });
    expect(stopped.finished).toBe(false);
    await go({ run: parts, resume: true });
    expect(checkpointOf(parts).equals(checkpointOf(whole))).toBe(true);
  });

  test("a rate that was asked for is kept, and the collapse told", async () => {
    const { warnings, rates } = await go({ learningRate: 6e-4 });
    expect(Math.max(...rates)).toBeCloseTo(6e-4, 9);
    expect(warnings.some((warning) => /diverges|collapse/.test(warning))).toBe(true);
    await expect(go({ learningRate: 6e-4, strict: true })).rejects.toThrow(/diverges|collapse/);
  });
});

describe("a run interrupted and resumed is the run that was not, bit for bit", () => {
  test.each([
    ["LORE, K = 5", lore({ epsilon, attack, dual, stepsPerBatch: 5 })],
    ["FARE, K = 1", fare({ epsilon, attack })],
    ["the recipe", robust({ epsilon })],
    ["contrastive, with sizes drawn, and its own constraint", contrastive],
    ["in int8", fare({ epsilon, attack: { ...attack, precision: "int8" } })],
    ["APGD", fare({ epsilon, attack: { steps: 2, schedule: "apgd", epsilonDraw: "uniform" } })],
    [
      "TeCoA with KL",
      tecoa({ epsilon, attack, classifier: encoder.head!, constraint: { divergence: "classes", dual } }),
    ],
  ])("%s: stopped within an epoch, and at the end of one", async (_, objective) => {
    const [whole, parts] = [fresh(), fresh()];
    const once = await train(objective, { run: whole });
    expect(once).toMatchObject({ finished: true, steps: 6 });

    expect(await train(objective, { run: parts, stopAfter: 2 })).toMatchObject({ finished: false, steps: 2 });
    expect(readdirSync(parts).sort()).toEqual(["checkpoints", "metrics.jsonl", "run.json"]);
    expect(await train(objective, { run: parts, resume: true, stopAfter: 3 })).toMatchObject({
      finished: false,
      steps: 3,
    });
    const resumed = await train(objective, { run: parts, resume: true });
    expect(resumed).toMatchObject({ finished: true, steps: 6 });

    expect(resumed.encoder.parameters).toEqual(once.encoder.parameters);
    expect(resumed.encoder.parameters).not.toEqual(encoder.parameters);
    expect(checkpointOf(parts).equals(checkpointOf(whole))).toBe(true);
    expect(encoderOf(parts).equals(encoderOf(whole))).toBe(true);
    expect(timeless(metricsOf(parts))).toEqual(timeless(metricsOf(whole)));
  });

  test("with files among the images that cannot be read", async () => {
    const folder = fresh();
    mkdirSync(folder);
    for (let i = 0; i < 12; i++) {
      const file = join(folder, `${String(i).padStart(2, "0")}.png`);
      if (i % 4 === 1) writeFileSync(file, "no image");
      else {
        const raw = Buffer.from(randomImages(1, { seed: i }).map((x) => 255 * x));
        writeFileSync(
          file,
          await sharp(raw, { raw: { width: 8, height: 8, channels: 3 } })
            .png()
            .toBuffer(),
        );
      }
    }
    const images = imageFolder(folder);
    const objective = fare({ epsilon, attack });
    const [whole, parts] = [fresh(), fresh()];
    const skips: SkippedImage[] = [];
    // Nine images can be read: two full batches of four and one of a single image.
    const once = { batch: 4, epochs: 1 };
    await train(objective, { ...once, run: whole, onSkip: (skip) => skips.push(skip) }, images);
    expect(skips.map(({ id }) => id).sort()).toEqual(["01.png", "05.png", "09.png"]);
    expect(metricsOf(whole).map((m) => m.images)).toEqual([4, 8, 9]);
    await train(objective, { ...once, run: parts, stopAfter: 1 }, images);
    await train(objective, { ...once, run: parts, stopAfter: 2, resume: true }, images);
    await train(objective, { ...once, run: parts, resume: true }, images);
    expect(checkpointOf(parts).equals(checkpointOf(whole))).toBe(true);
    expect(timeless(metricsOf(parts))).toEqual(timeless(metricsOf(whole)));

    await expect(train(objective, { batch: 4, strict: true }, images)).rejects.toThrow(UsageError);
  });

  test("stopped before the first step; a finished run stays as it is, and gets back a lost encoder", async () => {
    const run = fresh();
    const objective = fare({ epsilon, attack });
    const aborted = { ...settings, epochs: 1, signal: AbortSignal.abort() };
    const nothing = await finetune(encoder, source, objective, { ...aborted, run });
    expect(nothing).toMatchObject({ finished: false, steps: 0 });
    expect(nothing.encoder.parameters).toEqual(encoder.parameters);
    expect(await train(objective, { run, epochs: 1, resume: true })).toMatchObject({ finished: true, steps: 3 });

    const [checkpoint, saved] = [checkpointOf(run), encoderOf(run)];
    rmSync(join(run, "encoder"), { recursive: true });
    expect(await train(objective, { run, epochs: 1, resume: true })).toMatchObject({ finished: true, steps: 3 });
    expect(checkpointOf(run).equals(checkpoint)).toBe(true);
    expect(encoderOf(run).equals(saved)).toBe(true);
    expect(metricsOf(run)).toHaveLength(3);
  });
});

describe("what a run leaves", () => {
  test("run.json, a metrics line a step, and an encoder that loads", async () => {
    const run = fresh();
    const objective = lore({ epsilon, attack, dual, stepsPerBatch: 2 });
    const seen: StepMetrics[] = [];
    const { encoder: trained } = await finetune(encoder, source, objective, {
      ...settings,
      ...single,
      run,
      limit: 12,
      description: { command: "test" },
      onStep: (metrics, total) => {
        expect(total).toBe(4);
        seen.push(metrics);
      },
    });
    expect(readRun(run)).toMatchObject({
      command: "test",
      objective,
      settings: { ...settings, limit: 12, weightDecay: 1e-4, warmup: 0.07 },
      versions: { "lore-vision": expect.any(String), node: process.version, onnxruntime: expect.any(String) },
    });
    expect(metricsOf(run)).toEqual(seen);
    expect(seen.map(({ step, epoch, images }) => ({ step, epoch, images }))).toEqual([
      { step: 1, epoch: 8 / 12, images: 8 },
      { step: 2, epoch: 1, images: 12 },
      { step: 3, epoch: 1 + 8 / 12, images: 20 },
      { step: 4, epoch: 2, images: 24 },
    ]);
    const names = [
      "step",
      "epoch",
      "images",
      "advDistance",
      "spread",
      "cleanDistance",
      "threshold",
      "lambdaMean",
      "violationRate",
      "learningRate",
      "imagesPerSecond",
    ];
    for (const line of seen) {
      expect(Object.keys(line).sort()).toEqual([...names].sort());
      expect(Object.values(line).every(Number.isFinite)).toBe(true);
    }
    expect(seen[1]!.cleanDistance).toBeGreaterThan(0);
    expect((await loadEncoder(run)).parameters).toEqual(trained.parameters);
    expect((await loadEncoder(run)).head).toEqual(encoder.head);
  });

  test("FARE's metrics hold the clean distance of every tenth batch, no lambda; another seed is another run", async () => {
    const objective = fare({ epsilon, attack });
    const runs = [fresh(), fresh()];
    for (const [i, run] of runs.entries()) await train(objective, { run, epochs: 6, limit: 12, seed: i });
    const names = ["step", "epoch", "images", "advDistance", "spread", "learningRate", "imagesPerSecond"];
    const lines = metricsOf(runs[0]!);
    for (const [i, line] of lines.entries())
      expect(Object.keys(line).sort()).toEqual([...names, ...(i % 10 === 0 ? ["cleanDistance"] : [])].sort());
    expect(lines[10]!.cleanDistance).toBeGreaterThan(0);
    expect(encoderOf(runs[0]!).equals(encoderOf(runs[1]!))).toBe(false);
  });
});

describe("TeCoA", () => {
  const classifier = encoder.head!;

  test("metrics hold the cross-entropy beside the distances; run.json says which classifier by its digest", async () => {
    const run = fresh();
    await train(tecoa({ epsilon, attack, classifier }), { run, epochs: 1, limit: 8 });
    const [line] = metricsOf(run);
    const names = ["step", "epoch", "images", "advDistance", "spread", "advLoss", "cleanDistance", "learningRate"];
    expect(Object.keys(line!).sort()).toEqual([...names, "imagesPerSecond"].sort());
    const { dtype, shape, data } = classifier.weight;
    const sha256 = createHash("sha256").update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const weight = { dtype, shape, data: { sha256: sha256.digest("hex") } };
    expect(readRun(run)).toMatchObject({ objective: { loss: { kind: "cross-entropy", classifier: { weight } } } });
  });

  test("refused before a folder is made: no labels, other classes, another embedding", async () => {
    const { classes, items, name } = source;
    const unlabelled = { name, items: items.map(({ id, location }) => ({ id, location })) };
    const [rows, columns] = classifier.weight.shape as [number, number];
    const kl = { divergence: "classes" } as const;
    const weightOf = (shape: readonly [number, number]) =>
      ({ dtype: "float32", shape, data: new Float32Array(shape[0] * shape[1]) }) as const;
    const cases = [
      [unlabelled, classifier, undefined, /synthetic.*tecoa needs labelled images.*sub-folder/],
      [{ ...unlabelled, classes: classes! }, classifier, undefined, /needs labelled images/],
      [{ ...source, classes: classes!.slice(1) }, classifier, undefined, /7 classes, the classifier 8 rows/],
      [source, { ...classifier, weight: weightOf([rows, columns + 1]) }, kl, /reads 17 numbers, tiny.*in 16/],
    ] as const;
    for (const [data, head, constraint, message] of cases) {
      const run = fresh();
      const objective = tecoa({ epsilon, classifier: head, ...(constraint && { constraint }) });
      const refused = finetune(encoder, data, objective, { ...settings, run });
      await expect(refused).rejects.toThrow(UsageError);
      await expect(refused).rejects.toThrow(message);
      expect(() => readRun(run)).toThrow(/run\.json is missing/);
    }
    expect((await train(fare({ epsilon, attack }), { epochs: 1, limit: 8 }, unlabelled)).steps).toBe(1);
  });
});

describe("what cannot go on", () => {
  test("a loss that is not finite names the step and keeps a checkpoint that resumes", async () => {
    const run = fresh();
    const objective = fare({ epsilon, attack });
    // Five steps, of which the second run does the third and fails in the fourth.
    const once = { run, batch: 4, epochs: 1 };
    await train(objective, { ...once, stopAfter: 2 });
    const good = checkpointOf(run);
    const path = join(run, "run.json");
    const description = readFileSync(path, "utf8");
    // As if it had begun with the rate that breaks it.
    writeFileSync(path, description.replaceAll('"learningRate": 0.001', '"learningRate": 1e38'));
    const broken = train(objective, { ...once, resume: true, learningRate: 1e38 });
    await expect(broken).rejects.toThrow(NonFiniteError);
    await expect(broken).rejects.toThrow(/Step 4: .*lower learning rate/);
    expect(checkpointOf(run).equals(good)).toBe(true);
    writeFileSync(path, description);
    expect(await train(objective, { ...once, resume: true })).toMatchObject({ finished: true, steps: 5 });
  });

  test("weights that the very last step broke are not saved", async () => {
    const run = fresh();
    const once = { epochs: 1, batch: 20, microBatch: 20, warmup: 0, run };
    const broken = train(fare({ epsilon, attack }), { ...once, learningRate: 1e300 });
    await expect(broken).rejects.toThrow(/Step 1: .*not finite/);
    expect(readdirSync(run).sort()).toEqual(["checkpoints", "metrics.jsonl", "run.json"]);
  });

  test("a run folder that is taken, one that holds no run, one of another encoder", async () => {
    const run = fresh();
    const objective = fare({ epsilon, attack });
    await expect(train(objective, { run: fresh(), resume: true })).rejects.toThrow(/no run to resume/);
    await train(objective, { run, stopAfter: 1 });
    const before = [checkpointOf(run), readFileSync(join(run, "run.json"))];
    await expect(train(objective, { run })).rejects.toThrow(UsageError);
    const other = finetune(tinyEncoder({ depth: 2 }), source, objective, { ...settings, run, resume: true });
    await expect(other).rejects.toThrow(/another encoder/);
    expect([checkpointOf(run), readFileSync(join(run, "run.json"))]).toEqual(before);
  });

  test("a folder whose files are all no images: an error, and the run can be resumed when they are mended", async () => {
    const folder = fresh();
    mkdirSync(folder);
    writeFileSync(join(folder, "a.png"), "no image");
    const run = fresh();
    const objective = fare({ epsilon, attack });
    await expect(train(objective, { run, epochs: 1 }, imageFolder(folder))).rejects.toThrow(UsageError);
    const raw = { width: 8, height: 8, channels: 3 } as const;
    writeFileSync(join(folder, "a.png"), await sharp(Buffer.alloc(192, 90), { raw }).png().toBuffer());
    expect(await train(objective, { run, epochs: 1, resume: true }, imageFolder(folder))).toMatchObject({
      finished: true,
      steps: 1,
    });
  });

  test("attacks that the encoder or the device does not have are refused before a folder is made", async () => {
    const auto = fare({ epsilon, attack: { schedule: "apgd" } });
    const bytes = fare({ epsilon, attack: { precision: "int8" } });
    const run = fresh();
    await expect(finetune(encoder, source, auto, { run, device: "webgpu" })).rejects.toThrow(/CPU only/);
    await expect(finetune(encoder, source, bytes, { run, device: "cuda" })).rejects.toThrow(/int8 runs on CPU only/);
    expect(() => readRun(run)).toThrow(/run\.json is missing/);
  });

  test.each<[FinetuneOptions, RegExp]>([
    [{ epochs: 0 }, /epochs.*0/],
    [{ batch: 2.5 }, /batch.*2\.5/],
    [{ microBatch: 0 }, /microBatch.*0/],
    [{ learningRate: 0 }, /learning rate.*0/],
    [{ weightDecay: -1 }, /weight decay.*-1/],
    [{ warmup: 1 }, /Warm-up.*1/],
    [{ clipGradient: 0 }, /gradient.*0/],
    [{ limit: 0 }, /Limit 0/],
  ])("%j is refused before a folder is made", async (options, message) => {
    const run = fresh();
    const refused = finetune(encoder, source, fare({ epsilon }), { ...options, run });
    await expect(refused).rejects.toThrow(UsageError);
    await expect(refused).rejects.toThrow(message);
    expect(() => readRun(run)).toThrow(/run\.json is missing/);
  });
});
