import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Evaluation } from "../src/index.ts";
import { saveEncoder } from "../src/models/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-strict-"));
const at = (name: string): string => join(base, name);
vi.stubEnv("XDG_CACHE_HOME", at("cache"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

const clip = join(import.meta.dirname, "../assets/clip-shapes");
const [encoder, whole, lacking] = [at("encoder"), at("whole"), at("lacking")];
const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
/** The remarks on data that lack something. */
const said = /1 sub-folder holds no images \(i\), so that there are 8 classes instead of 9/;

beforeAll(async () => {
  saveEncoder(tinyEncoder(), encoder);
  for (const [i, name] of names.entries()) {
    for (const folder of [whole, lacking]) {
      mkdirSync(join(folder, name), { recursive: true });
      const background = { r: 25 * i, g: 90, b: 10 };
      for (const file of ["1.png", "2.png"])
        await sharp({ create: { width: 8, height: 8, channels: 3, background } }).toFile(join(folder, name, file));
    }
  }
  mkdirSync(join(lacking, "i"));
});

const small = ["--threads", "1"];
const commands: readonly (readonly [name: string, args: (data: string) => readonly string[]])[] = [
  ["evaluate", (data) => ["evaluate", "--encoder", encoder, "--data", data, ...small]],
  [
    "corruptions",
    (data) => [
      "corruptions",
      "--encoder",
      encoder,
      "--data",
      data,
      "--corruptions",
      "fog",
      "--severities",
      "1",
      "--noise",
      "none",
      ...small,
    ],
  ],
  ["fidelity", (data) => ["fidelity", "--original", encoder, "--encoder", encoder, "--data", data, ...small]],
  ["interpret", (data) => ["interpret", "--encoder", encoder, "--data", data, "--towards", "a", ...small]],
  ["probe", (data) => ["probe", "--encoder", encoder, "--train", data, "--data", data, "--neighbours", "1", ...small]],
];

describe.each(commands)("lore %s", (_, args) => {
  test("says what is left out of the data, once, and in its result; refuses it under --strict", async () => {
    const { code, stdout, stderr } = await lore([...args(lacking), "--json"]);
    expect(code, stderr).toBe(0);
    expect(stderr.match(new RegExp(said, "g"))).toHaveLength(1);
    expect(JSON.parse(stdout)).toMatchObject({ skipped: 0, warnings: [expect.stringMatching(said)] });
    await expectRefused([...args(lacking), "--strict"], said, /Without --strict/);
    const strict = await lore([...args(whole), "--strict", "--json"]);
    expect(strict.code, strict.stderr).toBe(0);
    expect(JSON.parse(strict.stdout)).toMatchObject({ skipped: 0, warnings: [] });
  });
});

test("lore train says it, and refuses it", async () => {
  const args = [
    "train",
    "--encoder",
    encoder,
    "--data",
    lacking,
    "--method",
    "fare",
    "--attack-steps",
    "1",
    "--epochs",
    "1",
  ];
  const { code, stderr } = await lore([...args, ...small, "--out", at("run")]);
  expect(code, stderr).toBe(0);
  expect(stderr.match(new RegExp(said, "g"))).toHaveLength(1);
  await expectRefused([...args, ...small, "--out", at("none"), "--strict"], said);
  const few = [
    ...args.slice(0, 4),
    whole,
    ...args.slice(5),
    ...small,
    "--out",
    at("none"),
    "--strict",
    "--limit",
    "17",
  ];
  await expectRefused(few, /17 images were asked for, and .*whole has 16/);
});

test("lore benchmark says it of the set, and under --strict leaves no set out", async () => {
  const suite = at("suite.yaml");
  writeFileSync(suite, `sets:\n  - { name: one, data: lacking }\n  - { name: two, data: whole, images: 99 }\n`);
  const args = ["benchmark", "--encoder", encoder, "--suite", suite, ...small];
  const { code, stderr } = await lore(args);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(new RegExp(`Warning: .* on one: .*${said.source}`));
  // "At most so many": a set may have fewer.
  expect(stderr).not.toMatch(/asked for/);
  await expectRefused([...args, "--strict"], said);
  writeFileSync(
    suite,
    `sets:\n  - { name: one, data: whole }\n  - { name: two, data: synthetic:9:test:colour-shape }\n`,
  );
  expect((await lore(args)).code).toBe(0);
  await expectRefused([...args, "--strict"], /two for .*: .*has 64 classes, the encoder's head 8/);
});

describe("few classes", () => {
  const two = ["evaluate", "--encoder", clip, "--limit", "8", ...small, "--data"];
  beforeAll(() => {
    for (const [folder, names] of [
      ["one", ["a"]],
      ["two", ["a", "h"]],
      ["five", ["a", "b", "c", "d", "e"]],
    ] as const) {
      for (const name of names) {
        mkdirSync(at(`${folder}/${name}`), { recursive: true });
        for (const i of [1, 2, 3, 4])
          writeFileSync(at(`${folder}/${name}/${i}.png`), readFileSync(join(whole, name, "1.png")));
      }
    }
  });

  test("are counted as they are: attacks that cannot be run are not told as run, and none aims at nine of four", async () => {
    const attack = ["--attack", "autoattack", "--epsilon", "8/255"];
    const { code, stdout, stderr } = await lore([...two, at("two"), ...attack]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /Warning: With 2 classes apgd-t cannot be run: .* Measured with apgd-ce, fab-t, square alone\./,
    );
    expect(stdout).toMatch(
      /8 images of .*two, 2 classes; apgd-ce linf, 100 steps; fab-t linf, 100 steps, 1 target; square linf, 5000 queries\n/,
    );
    await expectRefused([...two, at("two"), ...attack, "--strict"], /With 2 classes apgd-t cannot be run/);
    const five = await lore([...two, at("five"), "--attack", "apgd-t", "--steps", "2", "--epsilon", "8/255"]);
    expect(five.stdout).toMatch(/5 classes; apgd-t linf, 2 steps, 4 targets\n/);
  });

  test("of one, accuracy says nothing, and there is nothing to break", async () => {
    const { stdout, stderr } = await lore([...two, at("one"), "--limit", "4", "--json"]);
    expect((JSON.parse(stdout) as Evaluation).clean).toBe(1);
    expect(stderr).toMatch(/one class only, "a"/);
    await expectRefused([...two, at("one"), "--limit", "4", "--strict"], /one class only/);
    const attacked = [...two, at("one"), "--limit", "4", "--attack", "autoattack"];
    await expectRefused(
      attacked,
      /With 1 class apgd-ce and apgd-t and fab-t and square cannot be run: there is no other class/,
    );
  });
});
