import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readFinding } from "../src/findings/index.ts";
import { saveEncoder } from "../src/models/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-fidelity-"));
const at = (name: string): string => join(base, name);
const args = ["fidelity", "--original", at("tiny"), "--data", "synthetic:16:test", "--threads", "1", "--device", "cpu"];

beforeAll(() => saveEncoder(tinyEncoder(), at("tiny")));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test("a table and a finding: the original under attack is the first row", async () => {
  const more = ["--encoder", at("tiny"), "--attack", "pgd", "--steps", "3", "--out", at("out")];
  const { code, stdout, stderr } = await lore([...args, ...more]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^encoder +distance +relative +cosine +violated +10 nearest kept +attacked: distance/m);
  expect(stdout).toContain("attacked by pgd 2/255, 3 steps");
  const { kind, content } = readFinding(at("out"));
  expect(kind).toBe("fidelity");
  expect(content).toMatchObject({ images: 16, encoders: [{ violationRate: 0 }, { violationRate: 0 }] });
});

test("what cannot be meant is refused", async () => {
  await expectRefused([...args, "--encoder", at("tiny"), "--rho", "0"], /--rho 0 must be greater than 0/);
  await expectRefused([...args, "--encoder", at("nothing")], /nothing/);
});
