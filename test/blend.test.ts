import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveEncoder } from "../src/models/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-blend-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const at = (name: string): string => join(base, name);
const single = ["--threads", "1"];

beforeAll(async () => {
  saveEncoder(tinyEncoder(), at("tiny"));
  const data = ["--data", "synthetic:80", "--limit", "40", "--epochs", "1", "--attack-steps", "1"];
  const quick = ["--batch", "8", "--learning-rate", "1e-2", ...single];
  const { code, stderr } = await lore(["train", "--encoder", at("tiny"), ...data, ...quick, "--out", at("run")]);
  expect(code, stderr).toBe(0);
});

test("a run says how far it went back, and its encoder is that blend", async () => {
  const { weight, kept, largest, keep, points } = JSON.parse(readFileSync(at("run/blend.json"), "utf8"));
  expect({ largest, keep }).toEqual({ largest: 0.5, keep: 1 });
  expect(weight).toBeLessThanOrEqual(0.5);
  expect(kept).toBe(1);
  expect(points.length).toBeGreaterThan(0);
  expect(readFileSync(at("run/encoder/README.md"), "utf8")).toMatch(/of the way from the original's weights/);
  // The same blend, made afterwards of what training left.
  const made = await lore([
    ...["blend", "--encoder", at("tiny"), at("run"), "--weights", "1", "--weight", String(weight), ...single],
    ...["--out", at("again")],
  ]);
  expect(made.code, made.stderr).toBe(0);
  const weights = (folder: string) => readFileSync(at(`${folder}/encoder/model.safetensors`));
  expect(weights("again").equals(weights("run"))).toBe(true);
  expect(readFileSync(at("again/front.svg"), "utf8")).toMatch(/^<svg .*weight 1/s);
});

test("the front: what blends keep, and with labels their accuracies; any command takes what is saved", async () => {
  const { code, stdout, stderr } = await lore([
    ...["blend", "--encoder", at("tiny"), at("run"), "--held-out", "synthetic:32:test", "--data", "synthetic:16:test"],
    ...["--attack", "pgd", "--steps", "1", "--epsilon", "1/255", "--weights", "0,1", "--keep", "0.9", "--json"],
    ...["--out", at("kept"), ...single],
  ]);
  expect(code, stderr).toBe(0);
  const { points, chosen } = JSON.parse(stdout);
  expect(points[0]).toMatchObject({ weight: 0, kept: 1, evaluation: { images: 16 } });
  expect(points[1].evaluation.attacks[0].accuracy).toBeLessThanOrEqual(points[1].evaluation.clean);
  expect(chosen.kept).toBeGreaterThanOrEqual(0.9);
  const evaluated = await lore(["evaluate", "--encoder", at("kept"), "--data", "synthetic:8:test", ...single]);
  expect(evaluated.code, evaluated.stderr).toBe(0);
});

test("misuse is refused before anything is computed", async () => {
  const both = ["--encoder", at("tiny"), at("run")];
  await expectRefused(["blend", "--encoder", at("tiny")], /takes two/);
  await expectRefused(["blend", "--encoder", at("tiny"), at("tiny")], /--held-out is missing/);
  await expectRefused(["blend", ...both, "--weight", "0.5"], /--out FOLDER together with/);
  await expectRefused(["blend", ...both, "--out", at("never")], /--out FOLDER together with/);
  await expectRefused(["blend", ...both, "--weight", "0.5", "--keep", "1", "--out", at("never")], /give one of them/);
  await expectRefused(["blend", ...both, "--weights", "0,2"], /shares from 0 to 1/);
  await expectRefused(["blend", ...both, "--weight", "0.5", "--out", at("run")], /is there already/);
  expect(existsSync(at("never"))).toBe(false);
});
