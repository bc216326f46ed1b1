import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readFinding } from "../src/findings/index.ts";
import { readBytes } from "../src/models/files.ts";
import { saveEncoder } from "../src/models/index.ts";
import { decodeSafetensors } from "../src/models/safetensors.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
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
  expect(decodeSafetensors(readBytes(at("head.safetensors"))).tensors.get("weight")!.shape).toEqual([8, 16]);
});

test("other classes are refused", async () => {
  await expectRefused([...args, "--data", "synthetic:8:test:colour"], /has the class .* which .* has not/);
});
