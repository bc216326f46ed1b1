import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { saveEncoder } from "../src/index.ts";
import type { Finding, Interpretability } from "../src/results/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { interrupted } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-interpret-"));
const at = (name: string): string => join(base, name);
const shapes = join(import.meta.dirname, "../assets/clip-shapes");
const data = ["--data", "synthetic:8:test", "--threads", "1"];

beforeAll(async () => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  writeFileSync(at("templates.txt"), "a picture of a {}.\na {} in the snow.\n");
  writeFileSync(at("texts.txt"), "a red circle\na blue star\n\na green ring\n");
  await saveEncoder(tinyEncoder(), at("tiny"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

test("a CLIP and an encoder with a head: tables, a finding, pictures", async () => {
  const out = at("out");
  const encoders = [shapes, at("tiny")];
  const { code, stdout, stderr } = await lore([
    ...["interpret", ...encoders.flatMap((encoder) => ["--encoder", encoder]), ...data, "--limit", "4"],
    ...["--templates", at("templates.txt"), "--texts", at("texts.txt"), "--images", "2"],
    ...["--towards", "a photo of a circle.", "a photo of a star.", "--out", out],
  ]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^alignment with own texts, mean cosine +-?0\.\d{3} +-$/m);
  expect(stdout).toMatch(/^saliency sharpness, mean Gini +0\.\d{3} +0\.\d{3}$/m);
  expect(stdout).toMatch(/^ +images flipped up to 16\/255 +\d+\.\d % +\d+\.\d %$/m);
  expect(stdout).toMatch(/^synthesis, a photo of a star\. +-?\d\.\d{3} -> 0\.\d{3} +-?\d+\.\d -> -?\d+\.\d$/m);
  expect(stdout).toMatch(/4 images of synthetic:8:test, 8 classes, 2 templates/);

  const { kind, content } = JSON.parse(readFileSync(join(out, "finding.json"), "utf8")) as Finding;
  if (kind !== "interpretability") throw new Error(kind);
  const { encoders: found, pictures } = content;
  expect(found.map(({ encoder, similarity }) => [encoder, similarity])).toEqual([
    [shapes, "cosine"],
    [at("tiny"), "logit"],
  ]);
  const [clip, tiny] = found;
  const means = clip!.alignmentByTemplate!.map(({ cosine }) => cosine);
  expect(clip!.alignment!.mean).toBeCloseTo((means[0]! + means[1]!) / 2, 6);
  expect(clip!.nearest.map(({ texts }) => texts.length)).toEqual([3, 3]);
  expect(tiny!.alignment).toBeUndefined();
  expect(tiny!.nearest).toEqual([]);
  for (const { from, to } of found.flatMap(({ synthesis }) => synthesis)) expect(to).toBeGreaterThan(from);

  expect(pictures.map(({ file }) => file)).toEqual(["saliency.png", "synthesis.png"]);
  expect(pictures[1]!.description).toMatch(
    /Rows: "a photo of a circle\."; "a photo of a star\."\. Columns: .*clip-shapes; /,
  );
  // Tiles of 128 pixels with 6 around them: two images by the image and two maps; two texts by two encoders.
  const sizes = await Promise.all(pictures.map(({ file }) => sharp(join(out, file)).metadata()));
  expect(sizes.map(({ width, height }) => [width, height])).toEqual([
    [3 * 134 + 6, 2 * 134 + 6],
    [2 * 134 + 6, 2 * 134 + 6],
  ]);
});

test("the same numbers whatever the batch; nothing but JSON with --json; no folder without --out", async () => {
  const measured = async (batch: string): Promise<Interpretability> => {
    const args = [
      "--encoder",
      at("tiny"),
      ...data,
      "--limit",
      "3",
      "--towards",
      "a circle",
      "--batch",
      batch,
      "--json",
    ];
    const { code, stdout, stderr } = await lore(["interpret", ...args]);
    expect(code, stderr).toBe(0);
    return JSON.parse(stdout) as Interpretability;
  };
  const [one, all] = [await measured("1"), await measured("3")];
  expect(one.pictures).toEqual([]);
  expect(one.encoders[0]!.flip).toEqual(all.encoders[0]!.flip);
  // Products of other shapes round differently.
  expect(one.encoders[0]!.saliencySharpness.mean).toBeCloseTo(all.encoders[0]!.saliencySharpness.mean, 5);
  expect(existsSync(at("undefined"))).toBe(false);
});

test("Ctrl-C ends it with 130; what was found of an encoder is kept, and gives the same pictures", async () => {
  const encoders = ["--encoder", at("tiny"), shapes];
  const args = [
    "interpret",
    ...encoders,
    ...data,
    "--towards",
    "a photo of a circle.",
    "--images",
    "1",
    "--limit",
    "2",
  ];
  const { code, stdout, stderr } = await interrupted(
    [...args, "--out", at("stopped")],
    /(images|prompts), clip-shapes {2}\d/,
  );
  expect(code, stderr).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/Stopped\. .*stopped keeps what was found of 1 of 2 encoders/);
  const again = await lore([...args, "--out", at("stopped")]);
  expect(again.stderr).not.toMatch(/images, tiny/);
  await lore([...args, "--out", at("straight")]);
  for (const name of ["saliency.png", "synthesis.png"])
    expect(readFileSync(join(at("stopped"), name))).toEqual(readFileSync(join(at("straight"), name)));
  await expectRefused([...args, "--limit", "3", "--out", at("stopped")], /other settings \(limit\)/);
});

test("wrong use", async () => {
  const tiny = ["interpret", "--encoder", at("tiny"), ...data];
  await expectRefused([...tiny, "--towards", "a volcano"], /"a volcano" names none of the classes of synthetic/);
  await expectRefused([...tiny, "--texts", at("none.txt")], /none\.txt cannot be read: /);
  await expectRefused([...tiny, "--templates", "a photo"], /no such set or file/);
});
