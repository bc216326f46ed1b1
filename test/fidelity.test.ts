import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { synthetic } from "../src/data/index.ts";
import { saveEncoder } from "../src/models/index.ts";
import { readFinding } from "../src/results/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-fidelity-"));
const at = (name: string): string => join(base, name);
const args = ["fidelity", "--original", at("tiny"), "--data", "synthetic:16:test", "--threads", "1", "--device", "cpu"];

beforeAll(() => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  saveEncoder(tinyEncoder(), at("tiny"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

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

test("captions: the share of texts that find their image, clean and under attack", async () => {
  const source = synthetic({ count: 16, split: "test", seed: 0 });
  const names = source.items.map(({ id, label }) => [id, `a photo of a ${source.classes![label!]!.name}`]);
  writeFileSync(at("captions.json"), JSON.stringify(Object.fromEntries(names)));
  const shapes = ["fidelity", "--original", "assets/clip-shapes", "--encoder", "assets/clip-shapes"];
  const more = ["--captions", at("captions.json"), "--attack", "pgd", "--epsilon", "16/255", "--steps", "3"];
  const { code, stdout, stderr } = await lore([
    ...[...shapes, ...more, "--data", "synthetic:16:test", "--threads", "1", "--device", "cpu", "--json"],
  ]);
  expect(code, stderr).toBe(0);
  const { encoders } = JSON.parse(stdout) as {
    encoders: { recall: { k: number; clean: number; attacked: number }[] }[];
  };
  const [one, five, ten] = encoders[0]!.recall;
  expect([one!.k, five!.k, ten!.k]).toEqual([1, 5, 10]);
  // Two images a class, whose captions are the same: of the five nearest both are found, by chance 5 of 16.
  expect(five!.clean).toBeGreaterThan(0.8);
  expect(five!.attacked).toBeLessThan(five!.clean);
});

test("a run folder says what it began with and what it allowed", async () => {
  mkdirSync(at("run"));
  renameSync(at("tiny"), at("run/encoder"));
  saveEncoder(tinyEncoder(), at("tiny"));
  const margin = { kind: "relative", rho: 0.3, exponent: 1 };
  writeFileSync(
    at("run/run.json"),
    JSON.stringify({ flags: { encoder: at("tiny") }, objective: { constraint: { margin } } }),
  );
  const { stdout } = await lore([
    ...args.filter((word) => word !== "--original" && word !== at("tiny")),
    "--encoder",
    at("run"),
  ]);
  expect(stdout).toContain(`embeddings beside those of ${at("tiny")}`);
  expect(stdout).toContain("above 0.3 |phi0(x)|^1");
});

test("what cannot be meant is refused", async () => {
  await expectRefused([...args, "--encoder", at("tiny"), "--rho", "0"], /--rho 0 must be greater than 0/);
  await expectRefused([...args, "--encoder", at("nothing")], /nothing/);
  await expectRefused(["fidelity", "--encoder", at("tiny"), "--data", "synthetic:4"], /--original is missing/);
  await expectRefused([...args, "--encoder", at("tiny"), "--captions", at("none.json")], /none.json/);
});
