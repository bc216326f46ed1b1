import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type ImageSource, imageFolder, synthetic } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Crop } from "../framing.ts";
import type { Encoder } from "../models/index.ts";
import { fare, type Objective } from "../objectives/index.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { type FinetuneOptions, finetune } from "./finetune.ts";

const base = mkdtempSync(join(tmpdir(), "lore-resumable-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `${count++}`);

const encoder = tinyEncoder();
const objective = fare({ epsilon: 8 / 255, attack: { steps: 1 } });
const settings = { batch: 2, epochs: 2, learningRate: 1e-3, threads: 1 } as const;

let folder: string;
async function image(name: string, level: number, side = 8): Promise<void> {
  const raw = { width: side, height: side, channels: 3 } as const;
  writeFileSync(
    join(folder, name),
    await sharp(Buffer.alloc(3 * side * side, level), { raw })
      .png()
      .toBuffer(),
  );
}
beforeEach(async () => {
  folder = fresh();
  for (const name of ["a", "b"]) mkdirSync(join(folder, name), { recursive: true });
  for (const [i, name] of ["a/1.png", "a/2.png", "b/1.png", "b/2.png"].entries()) await image(name, 40 * i);
});

/** The encoder, whose images' centres are rounded in another way. */
function cropping(crop: Crop): Encoder {
  return new Proxy(encoder, {
    get: (target, name) => {
      if (name === "framing") return { ...target.framing, crop };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

interface Asked {
  readonly encoder?: Encoder;
  readonly source?: ImageSource;
  readonly objective?: Objective;
  readonly options?: FinetuneOptions;
}

/** A run of one step, then gone on with as asked. */
async function goOn(change: () => Asked | Promise<Asked>): Promise<unknown> {
  const run = fresh();
  const controller = new AbortController();
  const onStep = () => controller.abort();
  await finetune(encoder, imageFolder(folder), objective, { ...settings, run, signal: controller.signal, onStep });
  const before = readFileSync(join(run, "run.json"), "utf8");
  const asked = await change();
  const source = asked.source ?? imageFolder(folder);
  const resumed = finetune(asked.encoder ?? encoder, source, asked.objective ?? objective, {
    ...{ ...settings, ...asked.options, run, resume: true },
  });
  const { steps } = await resumed.finally(() => expect(readFileSync(join(run, "run.json"), "utf8")).toBe(before));
  return steps;
}

describe("a run goes on", () => {
  test("with the same data, wherever it lies and whenever it was written, and in other pieces", async () => {
    expect(
      await goOn(() => {
        utimesSync(join(folder, "a/1.png"), 1, 1);
        return { options: { microBatch: 1, recompute: true } };
      }),
    ).toBe(4);
  });
});

describe("a run does not go on", () => {
  test.each<readonly [string, () => Asked | Promise<Asked>, RegExp]>([
    [
      "with an image more",
      async () => {
        await image("a/3.png", 5);
        return {};
      },
      /other data: there were 4 images, and there are 5/,
    ],
    [
      "with images prepared otherwise",
      () => ({ encoder: cropping("down") }),
      /began with images prepared otherwise \(shorter edge to 8 pixels \(bicubic\), centre 8 x 8 cut out\)/,
    ],
    [
      "with an image of another name",
      async () => {
        rmSync(join(folder, "a/1.png"));
        await image("a/0.png", 0);
        return {};
      },
      /other data: images have other names or labels/,
    ],
    [
      "with another file of a name",
      async () => {
        await image("b/1.png", 80, 99);
        return {};
      },
      /other data: files .* other sizes/,
    ],
    [
      "with other names of classes",
      () => {
        writeFileSync(join(folder, "classes.json"), '{ "a": "newt" }');
        return {};
      },
      /other data: classes have other names/,
    ],
    ["with generated images of another seed", () => ({ source: synthetic({ count: 4, seed: 1 }) }), /other data/],
    ["with other weights", () => ({ encoder: tinyEncoder({ seed: 1 }) }), /another encoder/],
    ["with another objective", () => ({ objective: fare({ epsilon: 4 / 255 }) }), /another objective/],
    [
      "with other settings",
      () => ({ options: { learningRate: 1e-4, limit: 3 } }),
      /other settings \(learningRate, limit\)/,
    ],
  ])("%s", async (_, change, message) => {
    const resumed = goOn(change);
    await expect(resumed).rejects.toThrow(UsageError);
    await expect(resumed).rejects.toThrow(/cannot be resumed: it began with .*restore them, or begin a new run/);
    await expect(resumed).rejects.toThrow(message);
  });
});

test("a run of an earlier version goes on, with a warning", async () => {
  const run = fresh();
  const source = synthetic({ count: 4 });
  const controller = new AbortController();
  const onStep = () => controller.abort();
  await finetune(encoder, source, objective, { ...settings, run, signal: controller.signal, onStep });
  const path = join(run, "run.json");
  const { fingerprint: _, ...description } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  writeFileSync(path, JSON.stringify(description));
  const told: string[] = [];
  const onWarning = (message: string) => told.push(message);
  expect(await finetune(encoder, source, objective, { ...settings, run, resume: true, onWarning })).toMatchObject({
    steps: 4,
  });
  expect(told).toEqual([expect.stringMatching(/kept no fingerprint/)]);
});
