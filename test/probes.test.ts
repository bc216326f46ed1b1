import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readHead } from "../src/measure/probes/index.ts";
import { saveEncoder } from "../src/models/index.ts";
import type { Evaluation } from "../src/results/index.ts";
import { type Probes, readFinding } from "../src/results/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { interrupted } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-probes-"));
const at = (name: string): string => join(base, name);
const args = ["probe", "--encoder", at("tiny"), "--train", "synthetic:60:train", "--threads", "1", "--device", "cpu"];

beforeAll(() => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  saveEncoder(tinyEncoder(), at("tiny"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

test("a table, a finding and a head; the training images are their own nearest neighbours", async () => {
  const more = ["--neighbours", "1,3", "--out", at("out"), "--save-head", at("head.safetensors")];
  const { code, stdout, stderr } = await lore([...args, "--data", "synthetic:60:train", ...more]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^encoder +linear +\(training\) +l2 +1-NN +3-NN$/m);
  expect(stdout).toMatch(/^60 images of synthetic:60:train, 8 classes; fitted on 60 images of synthetic:60:train$/m);
  expect(stdout).toMatch(/ 100\.0 % +\d+\.\d %$/m);
  expect(readFinding(at("out"))).toMatchObject({ kind: "probes", content: { trainImages: 60, classes: 8 } });
  const { head, folders } = readHead(at("head.safetensors"));
  expect(head.weight.shape).toEqual([8, 16]);

  // The same head by another way, over classes in another order; the encoder's own head is not asked.
  const { encoders } = readFinding(at("out")).content as Probes;
  const evaluated = await lore([
    ...["evaluate", "--encoder", at("tiny"), "--data", "synthetic:60:train", "--head", at("head.safetensors")],
    ...["--attack", "pgd", "--steps", "2", "--epsilon", "16/255", "--threads", "1", "--device", "cpu", "--json"],
  ]);
  const { clean, classes, attacks } = JSON.parse(evaluated.stdout) as Evaluation;
  expect(classes).toBe(folders.length);
  expect(clean).toBeCloseTo(encoders[0]!.linear.accuracy, 12);
  expect(attacks[0]!.accuracy).toBeLessThan(clean);
});

test("a head that does not fit is refused", async () => {
  const evaluate = ["evaluate", "--encoder", at("tiny"), "--head", at("head.safetensors"), "--data"];
  await expectRefused([...evaluate, "synthetic:8:test:colour"], /fitted on other classes: circle, .*; none called red/);
  await expectRefused([...evaluate, "synthetic:8:test", "--templates", "a {}"], /give one of them/);
  await expectRefused(
    [...evaluate.with(4, at("tiny/model.safetensors")), "synthetic:8:test"],
    /no head that lore probe/,
  );
});

test("Ctrl-C ends it with 130; the same command goes on with the embeddings made so far", async () => {
  const many = ["--data", "synthetic:3000:test", ...args.slice(1)];
  const { code, stdout, stderr } = await interrupted(["probe", ...many], /test images {2}\d/);
  expect(code, stderr).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/Stopped\. Embeddings made so far are kept/);
});

test("other classes are refused", async () => {
  await expectRefused([...args, "--data", "synthetic:8:test:colour"], /has the class .* which .* has not/);
});
