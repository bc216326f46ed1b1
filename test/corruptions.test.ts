import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { allCorruptions } from "../src/data.ts";
import type { Evaluation } from "../src/index.ts";
import type { Corruptions, Finding } from "../src/results/index.ts";
import { interrupted } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-corruptions-"));
const at = (name: string): string => join(base, name);
const assets = join(import.meta.dirname, "../assets");
const shapes = join(assets, "clip-shapes");
const data = ["--data", "synthetic:16:test", "--threads", "1"];
const few = ["--corruptions", "contrast,fog,saturate", "--severities", "1,5", "--noise", "0,64/255"];

beforeAll(() => {
  // Class embeddings are made once for all tests.
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

async function measured(...args: readonly string[]): Promise<Corruptions> {
  const { code, stdout, stderr } = await lore(["corruptions", ...data, ...few, ...args, "--json"]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Corruptions;
}

test("two encoders: tables, and a finding with each accuracy", async () => {
  const encoders = [shapes, join(assets, "clip-cifar10")];
  const out = at("two");
  const { code, stdout, stderr } = await lore([
    "corruptions",
    ...encoders.flatMap((encoder) => ["--encoder", encoder]),
    ...data,
    ...few,
    "--out",
    out,
  ]);
  expect(code, stderr).toBe(0);
  for (const row of ["clean", "contrast", "fog", "mean", "saturate", "0", "64/255"])
    expect(stdout).toMatch(new RegExp(`^${row} +\\d+\\.\\d % +\\d+\\.\\d %$`, "m"));
  expect(stdout).toMatch(/^mean corruption error +100\.0 % +\d+\.\d %$/m);
  expect(stdout).toMatch(/16 images of synthetic:16:test, 8 classes; corruptions as in CIFAR-10-C \(32 pixels\)$/m);

  const { kind, content } = JSON.parse(readFileSync(join(out, "finding.json"), "utf8")) as Finding;
  if (kind !== "corruptions") throw new Error(kind);
  expect(content).toMatchObject({ images: 16, classes: 8, severities: [1, 5], extra: ["saturate"], warnings: [] });
  const [first, second] = content.encoders as Corruptions["encoders"];
  expect([first!.encoder, second!.encoder]).toEqual(encoders);
  expect(first!.noise[0]).toEqual({ sigma: 0, accuracy: first!.clean });
  // Of shapes at 15 % of their contrast, or behind heavy noise, it knows fewer.
  expect(first!.clean).toBeGreaterThan(0.8);
  expect(first!.rows[0]!.accuracies[1]).toBeLessThan(first!.clean);
  expect(first!.noise[1]!.accuracy).toBeLessThan(first!.clean);
  expect(first!.meanCorruptionError).toBe(1);
  const errors = content.encoders.map(({ rows }) => rows.map((row) => 2 - row.accuracies[0]! - row.accuracies[1]!));
  const ratios = [0, 1].map((i) => errors[1]![i]! / errors[0]![i]!);
  expect(second!.meanCorruptionError).toBeCloseTo((ratios[0]! + ratios[1]!) / 2, 12);
  const evaluation = await lore(["evaluate", "--encoder", shapes, ...data, "--json"]);
  expect((JSON.parse(evaluation.stdout) as Evaluation).clean).toBe(first!.clean);
});

test("the same numbers whatever the batch, interrupted or not; what is known is not measured again", async () => {
  const whole = await measured("--encoder", shapes);
  const args = ["--encoder", shapes, "--out", at("stopped")];
  // Far more than is done by the time the signal comes.
  const many = ["--corruptions", ["contrast", "fog", "saturate", ...allCorruptions].join(",")];
  const stopped = await interrupted(["corruptions", ...data, ...many, ...args], /corruptions {2}\d/);
  expect(stopped.code, stopped.stderr).toBe(130);
  expect(stopped.stderr).toMatch(/keeps \d+ accuracies\. Go on with the same command\./);
  expect(await measured(...args, "--batch", "5")).toEqual(whole);

  const file = join(at("stopped"), "corruptions.jsonl");
  const lines = readFileSync(file, "utf8");
  writeFileSync(file, lines.replace(/("condition":"fog 5","images":16,"correct":)\d+/, "$10"));
  const changed = await measured(...args);
  expect(changed.encoders[0]!.rows[1]!.accuracies[1]).toBe(0);
  await expectRefused(["corruptions", ...data, ...few, ...args, "--seed", "1"], /results are of other settings .*seed/);
});

test("frost without textures is said to compare with nothing", async () => {
  const { stdout, stderr } = await lore([
    "corruptions",
    "--encoder",
    shapes,
    ...data,
    "--corruptions",
    "frost",
    "--severities",
    "3",
    "--noise",
    "none",
  ]);
  expect(stdout).toMatch(/^frost +\d+\.\d %$/m);
  expect(stdout).not.toMatch(/Gaussian noise/);
  expect(stderr).toMatch(/Warning: Frost was drawn/);
});

test("wrong use", async () => {
  const start = ["corruptions", "--encoder", shapes, ...data];
  await expectRefused([...start, "--corruptions", "rain"], /There is no "rain"; there are all, common, none, gaussian/);
  await expectRefused([...start, "--severities", "1,6"], /whole numbers from 1 to 5/);
  await expectRefused([...start, "--noise", "loud"], /in pixel units/);
  await expectRefused([...start, "--frost", base, "--corruptions", "frost"], /frost1\.png is missing or no image/);
});
