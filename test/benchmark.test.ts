import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { Benchmark, BenchmarkRow } from "../src/measure.ts";
import { saveEncoder } from "../src/models/index.ts";
import { readFinding } from "../src/results/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { tinyClip } from "../src/testing/tiny-clip.ts";
import { interrupted } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-benchmark-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});
const at = (name: string): string => join(base, name);

const clip = at("clip");
const headed = at("headed");
const benchmark = (...more: readonly string[]): readonly string[] => [
  ...["benchmark", "--encoder", headed, "--suite", at("suite.yaml"), "--threads", "1"],
  ...more,
];

const shapes = ["circle", "cross", "diamond", "heart", "ring", "square", "star", "triangle"];

beforeAll(async () => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  vi.stubEnv("HF_HOME", at("hub"));
  // Eight outputs, as many as shapes, and no text tower.
  saveEncoder(tinyEncoder({ classes: 8 }), headed);
  saveEncoder(tinyClip(), clip);
  // Twice as large as what the encoders take.
  const raw = { width: 16, height: 16, channels: 3 } as const;
  for (const [i, name] of shapes.entries()) {
    mkdirSync(at(`files/${name}`), { recursive: true });
    const pixels = Buffer.from(Array.from({ length: 768 }, (_, byte) => (byte * (i + 3)) % 251));
    writeFileSync(at(`files/${name}/a.png`), await sharp(pixels, { raw }).png().toBuffer());
  }
  writeFileSync(
    at("suite.yaml"),
    `
    name: test
    attack: { name: pgd, steps: 2 }
    epsilons: [2/255]
    templates: ["a {}"]
    images: 8
    sets:
      - { name: cifar10, title: CIFAR-10, data: wds/vtab/cifar10 }
      - { name: shapes, title: Shapes, data: "synthetic:64:test", averaged: false }
      - { name: files, title: Files, data: files, templates: ["a {} thing"], resolution: native }
      - { name: pairs, title: Pairs, data: "synthetic:64:test:colour-shape", images: 4 }
    `,
  );
});

test("a table of what could be measured, what is missing beside it, and a finding", async () => {
  const out = at("out");
  const { code, stdout, stderr } = await lore(benchmark("--encoder", clip, "--out", out, "--published"));
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/shapes \(2 of 4\) \S*headed: pgd.*points/);
  expect(stdout).toMatch(/^clean +Shapes +Files +Pairs +Avg$/m);
  expect(stdout).toMatch(/^epsilon 2\/255 +Shapes +Files +Pairs +Avg$/m);
  expect(stdout).toMatch(/^\S*clip +\d+\.\d +\d+\.\d +\d+\.\d +\d+\.\d \(2 of 3\)$/m);
  // The head has 8 rows, the pairs are 64 classes.
  expect(stdout).toMatch(/^\S*headed +\d+\.\d +\d+\.\d +- +\d+\.\d \(1 of 3\)$/m);
  expect(stdout).toMatch(/^Missing: 1 of 4 sets; 1 of 4 sets for some encoders\.$/m);
  expect(stdout).toMatch(/^ {2}cifar10: offline mode is on/m);
  expect(stdout).toMatch(/^ {2}pairs for \S*headed: .*64 classes/m);
  const finding = readFinding(out);
  const content = finding.content as Benchmark;
  expect(finding.kind).toBe("benchmark");
  const images = { shapes: 8, files: 8 };
  expect(content.rows.map(imagesBySet)).toEqual([images, { ...images, pairs: 4 }]);

  // From what was kept, without attacking again, also when fewer encoders are asked for.
  const again = await lore(benchmark("--out", out, "--json"));
  expect(again.code, again.stderr).toBe(0);
  expect(accuracies((JSON.parse(again.stdout) as Benchmark).rows[0]!)).toEqual(accuracies(content.rows[0]!));
  expect(again.stderr).not.toMatch(/pgd.*points/);
  expect(again.stderr).toMatch(/^ {2}cifar10: offline mode is on/m);
  await expectRefused(benchmark("--out", out, "--limit", "4"), /settings\.json.*of other settings \(limit\)/);
});

function imagesBySet({ results }: BenchmarkRow) {
  return Object.fromEntries(results.map(({ set, images }) => [set, images]));
}

function accuracies({ results }: BenchmarkRow) {
  return results.map(({ set, clean, attacks }) => [set, clean, attacks.map(({ accuracy }) => accuracy)]);
}

test("--limit and --seed choose images; --format csv", async () => {
  const { code, stdout, stderr } = await lore(benchmark("--limit", "4", "--seed", "5", "--format", "csv"));
  expect(code, stderr).toBe(0);
  const [header, clean] = stdout.split("\n").map((line) => line.split(","));
  expect(header).toEqual(["epsilon", "encoder", "source", "shapes", "files", "average", "averaged sets"]);
  for (const figure of clean!.slice(3, 5)) expect([0, 0.25, 0.5, 0.75, 1]).toContain(Number(figure));
  expect(stderr).toMatch(/^Missing: 2 of 4 sets\.$/m);
});

test("Ctrl-C keeps what was measured and exits with 130", async () => {
  const out = at("stopped");
  writeFileSync(
    at("long.yaml"),
    `
    attack: { name: pgd, steps: 2000 }
    sets: [{ name: shapes, data: "synthetic:64:test" }]
    `,
  );
  const args = ["benchmark", "--encoder", clip, "--suite", at("long.yaml"), "--threads", "1", "--out", out];
  const { code, stdout, stderr } = await interrupted(args, /clean +\d+\/\d+/);
  expect(code, stderr).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/keeps \d+ clean predictions of 1 evaluation\. Go on with the same command/);
  expect(readFileSync(join(out, readdirSync(out)[0]!, "shapes", "results.jsonl"), "utf8")).toContain(
    '"measurement":"clean"',
  );
  expect(existsSync(join(out, "finding.json"))).toBe(false);
});

test("what cannot be is one clear error", async () => {
  await expectRefused(benchmark("--suite", at("none.yaml")), /No suite .*none\.yaml.*zeroshot-13, tiny/);
  await expectRefused(benchmark("--format", "pdf"), /Allowed choices are table, markdown, csv/);
  writeFileSync(at("hub.yaml"), "sets: [{ name: a, data: wds/a }, { name: b, data: wds/b }]");
  await expectRefused(
    benchmark("--suite", at("hub.yaml")),
    /none of its 2 sets could be measured\.\n {2}a, b: offline mode is on/,
  );
});
