import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { embedImages } from "../src/index.ts";
import type { MovedEmbedding } from "../src/measure.ts";
import { loadEncoder, saveEncoder } from "../src/models/index.ts";
import { randomStream } from "../src/random.ts";
import { readSafetensors } from "../src/safetensors.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { lore as spawnLore } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-attack-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const at = (name: string): string => join(base, name);
const clip = fileURLToPath(new URL("../assets/clip-cifar10", import.meta.url));
const side = 32;
/** The small encoder with a head and no text tower. */
const headed = at("headed");

/** Soft blobs, some of them burnt out: what photographs have and noise has not. */
function blobs(seed: number, size: number): Buffer {
  const random = randomStream("blobs", seed);
  const waves = Array.from({ length: 9 }, () => [random.uniform(1, 4), random.uniform(1, 4), random.uniform(0, 6)]);
  return Buffer.from(
    Uint8Array.from({ length: 3 * size * size }, (_, i) => {
      const [channel, x, y] = [i % 3, Math.floor(i / 3) % size, Math.floor(i / 3 / size)];
      const sum = waves
        .slice(3 * channel, 3 * channel + 3)
        .reduce((total, [u, v, phase]) => total + Math.sin((6 * (u! * x + v! * y)) / size + phase!), 0);
      return Math.min(Math.max(128 + 70 * sum, 0), 255);
    }),
  );
}

beforeAll(async () => {
  mkdirSync(at("images/more"), { recursive: true });
  const write = async (name: string, seed: number, size = side) => {
    const image = sharp(blobs(seed, size), { raw: { width: size, height: size, channels: 3 } });
    writeFileSync(at(name), await image.toFormat(name.endsWith("webp") ? "webp" : "png").toBuffer());
  };
  await write("images/one.png", 1);
  await write("images/two.png", 2, 50);
  await write("images/three.webp", 3);
  await write("images/attack.png", 4);
  await write("images/more/one.png", 5);
  writeFileSync(at("broken.png"), "no image");
  saveEncoder(tinyEncoder(), headed);
});

interface Result {
  readonly images: readonly (MovedEmbedding & {
    readonly image: string;
    readonly perturbed?: string;
    readonly tensor?: string;
    readonly prediction?: { readonly before: string; readonly after: string };
  })[];
  readonly arrays?: string;
  readonly picture: string;
}

async function attack(run: typeof lore, ...args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await run(["attack", ...args, "--threads", "1", "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Result;
}

/** [3, side, side] in [0, 1], by sharp alone. */
async function pixelsOf(path: string): Promise<Float32Array> {
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([side, side, 3]);
  return Float32Array.from({ length: data.length }, (_, i) => {
    const area = side * side;
    return data[3 * (i % area) + Math.floor(i / area)]! / 255;
  });
}

const embed = async (pixels: Float32Array): Promise<Float32Array> =>
  embedImages(await loadEncoder(clip), pixels, { threads: 1 });

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (u: Float32Array, v: Float32Array): number => u.reduce((sum, x, i) => sum + x * v[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

const largestChange = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

const quick = ["--encoder", clip, "--attack", "pgd", "--steps", "10"];

describe("lore attack", () => {
  test("away: the saved file has the effect that is told, within epsilon", async () => {
    const { images, picture } = await attack(
      spawnLore,
      ...[at("images/one.png"), ...quick, "--epsilon", "4/255", "--out", at("away")],
    );
    const [{ image, perturbed, toClean, ...more }] = images as [Result["images"][0]];
    expect([image, Object.keys(more)]).toEqual([at("images/one.png"), []]);
    expect(perturbed).toMatch(/away\/one\.png$/);
    const [clean, after] = [await pixelsOf(at("images/one.png")), await pixelsOf(perturbed!)];
    // The same float32 embeddings, from programs of another batch.
    expect(cosine(await embed(clean), await embed(after))).toBeCloseTo(toClean.cosine, 4);
    const random = randomStream("noise");
    const noisy = clean.map((x) => Math.min(Math.max(x + random.uniform(-4, 4) / 255, 0), 1));
    // Three thousand times as far as noise of the same size was measured.
    expect(1 - toClean.cosine).toBeGreaterThan(100 * (1 - cosine(await embed(clean), await embed(noisy))));
    expect(largestChange(clean, after)).toBeCloseTo(4 / 255, 6);
    expect(readdirSync(at("away")).sort()).toEqual(["attack.png", "one.png"]);
    const { width, height } = await sharp(picture).metadata();
    // One column, three rows of 128 pixels, gaps of 6.
    expect([width, height]).toEqual([128 + 12, 3 * 128 + 24]);
  });

  test("towards a text, zero-shot names; all images in and below a folder, each a file of its own", async () => {
    const text = "a photo of a ship.";
    const { images } = await attack(
      spawnLore,
      ...[at("images"), at("images/one.png"), ...quick, "--towards", text, "--epsilon", "8/255"],
      ...["--names", "airplane, cat, dog, frog, ship, truck", "--out", at("towards")],
    );
    expect(images.map(({ image, perturbed }) => [image, perturbed].map((path) => path!.split("/").at(-1)))).toEqual([
      ["attack.png", "attack-2.png"],
      ["one.png", "more-one.png"],
      ["one.png", "one.png"],
      ["three.webp", "three.png"],
      ["two.png", "two.png"],
      ["one.png", "one-2.png"],
    ]);
    const reference = await (await loadEncoder(clip)).text!.embed([text], { threads: 1 });
    for (const { perturbed, toReference, prediction } of images) {
      const { before, after } = toReference!;
      expect(after.cosine).toBeGreaterThan(before.cosine + 0.2);
      expect(cosine(await embed(await pixelsOf(perturbed!)), reference)).toBeCloseTo(after.cosine, 4);
      expect(prediction!.after).toBe("ship");
    }
  });

  test("the same for the same seed, another image for another", async () => {
    const make = async (out: string, seed: string) => {
      const { images } = await attack(lore, at("images/one.png"), ...quick, "--out", at(out), "--seed", seed);
      return pixelsOf(images[0]!.perturbed!);
    };
    const first = await make("seed", "0");
    expect(await make("seed-again", "0")).toEqual(first);
    expect(await make("seed-other", "1")).not.toEqual(first);
  });

  test("towards an image, in l2, as a table", async () => {
    const { code, stdout, stderr } = await spawnLore([
      ...["attack", at("images/two.png"), ...quick, "--towards", at("images/three.webp"), "--loss", "l2"],
      ...["--norm", "l2", "--epsilon", "2", "--out", at("table"), "--threads", "1"],
    ]);
    expect(code, stderr).toBe(0);
    const [header, , row] = stdout.split("\n") as [string, string, string];
    expect(header).toMatch(/^image +cosine to clean +cosine to target$/);
    const [, before, after] = /two\.png +-?\d\.\d{3} +(-?\d\.\d{3}) -> (-?\d\.\d{3})$/.exec(row)!.map(Number);
    expect(after!).toBeGreaterThan(before!);
    expect(stdout).toMatch(/^pgd-embedding-l2 l2, 10 steps of epsilon \/ 4, epsilon 2; towards ".*three\.webp"$/m);
    expect(stdout).toMatch(/^Picture: .*attack\.png$/m);
  });

  test("--float keeps arrays, which less than a level moves", async () => {
    const { images, arrays } = await attack(
      lore,
      ...[at("images/one.png"), ...quick, "--epsilon", "0.5/255", "--float", "--out", at("float")],
    );
    const [{ tensor, perturbed, toClean }] = images as [Result["images"][0]];
    expect([tensor, perturbed]).toEqual(["one", undefined]);
    const { shape, data } = readSafetensors(arrays!).tensors.get("one")!;
    expect(shape).toEqual([3, side, side]);
    const clean = await pixelsOf(at("images/one.png"));
    // Float32 at the edge of the ball.
    expect(largestChange(clean, data as Float32Array)).toBeLessThanOrEqual(0.5 / 255 + 1e-7);
    expect(cosine(await embed(clean), await embed(data as Float32Array))).toBeCloseTo(toClean.cosine, 4);
    expect(readdirSync(at("float")).sort()).toEqual(["attack.png", "perturbed.safetensors"]);
  });

  test("an encoder with a head says its class, by number or by the names given", async () => {
    const args = ["attack", at("images/one.png"), "--encoder", headed, "--threads", "1", "--json", "--out", at("head")];
    const predictions = async (...more: readonly string[]) => {
      const { code, stdout, stderr } = await lore([...args, "--attack", "pgd", "--epsilon", "16/255", ...more]);
      expect(code, stderr).toBe(0);
      return (JSON.parse(stdout) as Result).images[0]!.prediction!;
    };
    const { before } = await predictions();
    expect(before).toMatch(/^class [0-7]$/);
    const number = Number(before.slice(6));
    expect((await predictions("--names", "a,b,c,d,e,f,g,h")).before).toBe("abcdefgh"[number]);
  });
});

describe("images that cannot be read", () => {
  const some = at("some");
  const args = (out: string, ...more: readonly string[]): readonly string[] => [
    ...["attack", some, ...quick, "--steps", "2", "--threads", "1", "--out", at(out), ...more],
  ];
  beforeAll(async () => {
    mkdirSync(some);
    const image = sharp(blobs(7, side), { raw: { width: side, height: side, channels: 3 } });
    const png = await image.png().toBuffer();
    writeFileSync(join(some, "b.png"), png);
    writeFileSync(join(some, "a.png"), "no image");
    writeFileSync(join(some, "c.jpg"), png.subarray(0, 200));
    writeFileSync(join(some, "d.png"), png);
  });

  test("are left out of a folder, and counted; what is made of the others is as if they were not there", async () => {
    const { code, stdout, stderr } = await lore(args("some-out", "--json", "--names", "cat,ship"));
    expect(code, stderr).toBe(0);
    const { images, skipped } = JSON.parse(stdout) as Result & { readonly skipped: number };
    expect(images.map(({ image }) => image)).toEqual([join(some, "b.png"), join(some, "d.png")]);
    expect(skipped).toBe(2);
    expect(stderr).toMatch(/Skipped 2 files that are no readable images:\n {2}.*a\.png: .*\n {2}.*c\.jpg: /);
    expect(readdirSync(at("some-out")).sort()).toEqual(["attack.png", "b.png", "d.png"]);
    const alone = await attack(
      lore,
      join(some, "b.png"),
      join(some, "d.png"),
      ...quick,
      "--steps",
      "2",
      "--out",
      at("alone"),
    );
    expect(images.map(({ toClean }) => toClean)).toEqual(alone.images.map(({ toClean }) => toClean));
    const table = await lore(args("some-table"));
    expect(table.stdout).toMatch(/^Skipped: 2 images that could not be read$/m);
  });

  test("end it under --strict, as does an image by another name; all of them end it anyway", async () => {
    await expectRefused(args("strict", "--strict"), /a\.png is no image that can be read: /);
    expect(existsSync(at("strict"))).toBe(false);
    mkdirSync(at("other"));
    writeFileSync(at("other/e.png"), readFileSync(join(some, "b.png")));
    writeFileSync(at("other/f.heic"), "");
    const other = ["attack", at("other"), ...quick, "--steps", "1", "--threads", "1", "--out", at("other-out")];
    const { code, stderr } = await lore(other);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/Warning: .*1 file is left out, .*1 with \.heic; the first is f\.heic/);
    await expectRefused([...other, "--strict"], /1 file is left out/);
    await expectRefused(
      ["attack", join(some, "a.png"), join(some, "c.jpg"), ...quick, "--out", at("none")],
      /a\.png is no image that can be read/,
    );
  });
});

describe("lore attack refuses", () => {
  const one = (): string => at("images/one.png");
  const refused = (args: readonly string[], ...messages: readonly RegExp[]) =>
    expectRefused(["attack", "--encoder", clip, "--out", at("refused"), "--threads", "1", ...args], ...messages);

  test("what is no image", async () => {
    await refused([at("none.png")], /none\.png does not exist/);
    await refused([at("broken.png")], /broken\.png is no image that can be read: /);
    await refused([headed], /holds no images/);
    await refused([], /missing required argument/);
  });

  test("targets and names that the encoder cannot embed", async () => {
    await refused([one(), "--towards", at("none.jpg")], /--towards .*none\.jpg: there is no such image file/);
    await refused([one(), "--towards", base], /is a folder/);
    await refused([one(), "--towards", at("broken.png")], /broken\.png is no image/);
    const noText = ["--encoder", headed, one()];
    await refused([...noText, "--towards", "a cat"], /"a cat" is no file, and .* has no text tower/);
    await refused([...noText, "--names", "a,b"], /--names gives 2 names, and the head of .* has 8 classes/);
    await refused([...noText, "--names", "a,b", "--templates", "pets"], /has no text tower/);
    await refused([one(), "--names", "a,,b"], /names with commas/);
    await refused([one(), "--templates", "cifar10"], /--templates needs --names/);
  });

  test("sizes out of range, or too small for a file", async () => {
    await refused([one(), "--epsilon", "2"], /Epsilon 2 is outside \[0, 1\].*write 2\/255/);
    await refused([one(), "--epsilon", "0.5/255"], /less than one level of an image file.*--float/);
    await refused([one(), "--epsilon", "-1"], /must be a number/);
    expect(existsSync(at("refused"))).toBe(false);
  });

  test("folders that are files, or hold the images", async () => {
    await refused([one(), "--out", one()], /--out .*one\.png cannot be written to/);
    const before = await pixelsOf(one());
    await refused([one(), "--out", at("images")], /one\.png is one of the images and would be replaced/);
    expect(await pixelsOf(one())).toEqual(before);
  });
});
