import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { readFinding } from "../src/findings/index.ts";
import type { Benchmark } from "../src/index.ts";
import { saveEncoder } from "../src/models/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { interrupted } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-benchmark-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});
const at = (name: string): string => join(base, name);

const clip = join(import.meta.dirname, "../assets/clip-shapes");
const benchmark = (...more: readonly string[]): readonly string[] => [
  ...["benchmark", "--encoder", clip, "--suite", at("suite.yaml"), "--threads", "1"],
  ...more,
];

const shapes = ["circle", "cross", "diamond", "heart", "ring", "square", "star", "triangle"];

beforeAll(async () => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  vi.stubEnv("HF_HOME", at("hub"));
  // Eight outputs, as many as shapes, and no text tower.
  saveEncoder(tinyEncoder({ seed: 3, imageSize: 32, classes: 8 }), at("headed"));
  // Half as large as what the encoders take.
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
  const args = benchmark("--encoder", at("headed"), "--out", out, "--published");
  const { code, stdout, stderr } = await lore(args);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/shapes \(2 of 4\) \S*headed: pgd.*points/);
  expect(stdout).toMatch(/^clean +Shapes +Files +Pairs +Avg$/m);
  expect(stdout).toMatch(/^epsilon 2\/255 +Shapes +Files +Pairs +Avg$/m);
  expect(stdout).toMatch(/^\S*clip-shapes +\d+\.\d +\d+\.\d +\d+\.\d +\d+\.\d \(2 of 3\)$/m);
  // The head has 8 rows, the pairs are 64 classes.
  expect(stdout).toMatch(/^\S*headed +\d+\.\d +\d+\.\d +- +\d+\.\d \(1 of 3\)$/m);
  expect(stdout).toMatch(/^Missing: 1 of 4 sets; 1 of 4 sets for some encoders\.$/m);
  expect(stdout).toMatch(/^ {2}cifar10: offline mode is on/m);
  expect(stdout).toMatch(/^ {2}pairs for \S*headed: .*64 classes/m);
  const finding = readFinding(out);
  const content = finding.content as Benchmark;
  expect(finding.kind).toBe("benchmark");
  expect(content.rows.map(({ results }) => results.map(({ set, images }) => [set, images]))).toEqual([
    [
      ["shapes", 8],
      ["files", 8],
      ["pairs", 4],
    ],
    [
      ["shapes", 8],
      ["files", 8],
    ],
  ]);

  // From what was kept, without attacking again: the same numbers, in no time.
  const again = await lore([...args, "--json"]);
  expect(again.code, again.stderr).toBe(0);
  expect(accuracies(JSON.parse(again.stdout) as Benchmark)).toEqual(accuracies(content));
  expect(again.stderr).not.toMatch(/pgd.*points/);
  expect(again.stderr).toMatch(/^ {2}cifar10: offline mode is on/m);
  await expectRefused([...args, "--limit", "4"], /settings\.json.*of other settings \(limit\)/);
});

function accuracies({ rows }: Benchmark) {
  return rows.map(({ results }) => results.map(({ clean, attacks }) => [clean, attacks.map((at) => at.accuracy)]));
}

test("--limit and --seed choose images; --format csv", async () => {
  const { code, stdout, stderr } = await lore(benchmark("--limit", "4", "--seed", "5", "--format", "csv"));
  expect(code, stderr).toBe(0);
  const [header, clean] = stdout.split("\n").map((line) => line.split(","));
  expect(header).toEqual(["epsilon", "encoder", "source", "shapes", "files", "pairs", "average", "averaged sets"]);
  for (const figure of clean!.slice(3, 6)) expect([0, 0.25, 0.5, 0.75, 1]).toContain(Number(figure));
  expect(stderr).toMatch(/^Missing: 1 of 4 sets\.$/m);
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
  const { code, stdout, stderr } = await interrupted(args, /clean \[#+\.*\] \d/);
  expect(code, stderr).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/keeps \d+ clean predictions on 1 parts?\. Go on with the same command/);
  expect(readFileSync(join(out, "shapes", "results.jsonl"), "utf8")).toContain('"measurement":"clean"');
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
