import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Evaluation } from "../src/index.ts";
import { saveEncoder } from "../src/models/index.ts";
import { readFinding } from "../src/results/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { interrupted } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-evaluate-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});
const at = (name: string): string => join(base, name);

const shapes = join(import.meta.dirname, "../assets/clip-shapes");
const evaluate = (...more: readonly string[]): readonly string[] => [
  ...["evaluate", "--encoder", shapes, "--data", "synthetic:16", "--threads", "1"],
  ...more,
];
const apgd = ["--attack", "apgd-ce,apgd-t", "--steps", "3", "--targets", "2"];

async function measured(...args: readonly string[]): Promise<Evaluation> {
  const { code, stdout, stderr } = await lore(evaluate(...args, "--json"));
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Evaluation;
}

const accuracies = ({ attacks }: Evaluation) => attacks.map(({ accuracy }) => accuracy);

beforeAll(async () => {
  // Class embeddings are made once for all tests.
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  saveEncoder(tinyEncoder({ seed: 3, imageSize: 32 }), at("other"));
  for (const [index, name] of ["circle", "square", "star"].entries()) {
    mkdirSync(at(`three/${name}`), { recursive: true });
    const raw = { width: 32, height: 32, channels: 3 } as const;
    const png = await sharp(Buffer.alloc(32 * 32 * 3, 100 * index), { raw })
      .png()
      .toBuffer();
    writeFileSync(at(`three/${name}/a.png`), png);
  }
});

describe("attacks", () => {
  test("a list: its worst case in the table, what each attack left below, how it was measured", async () => {
    const { code, stdout, stderr } = await lore(evaluate(...apgd, "--epsilon", "1/255,2/255"));
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^encoder +clean +apgd-ce\+apgd-t 1\/255 +apgd-ce\+apgd-t 2\/255$/m);
    expect(stdout).toMatch(/^left after +apgd-ce +apgd-t$/m);
    expect(stdout).toMatch(/^apgd-ce\+apgd-t 2\/255 +\d+\.\d % \d+\.\d s +\d+\.\d % \d+\.\d s$/m);
    expect(stdout).toMatch(
      /16 images of synthetic:16, 8 classes; apgd-ce linf, 3 steps; apgd-t linf, 3 steps, 2 targets$/m,
    );
    expect(stderr).not.toMatch(/Warning/);
  });

  test("--json has the stages, and more epsilon or more attacks leave no more images", async () => {
    const both = await measured(...apgd, "--epsilon", "1/255,2/255");
    const [small, large] = both.attacks;
    expect(large).toEqual({
      attack: "apgd-ce+apgd-t",
      norm: "linf",
      epsilon: 2 / 255,
      accuracy: expect.any(Number),
      seconds: expect.any(Number),
      stages: [
        { attack: "apgd-ce", accuracy: expect.any(Number), seconds: expect.any(Number) },
        { attack: "apgd-t", accuracy: large!.accuracy, seconds: expect.any(Number) },
      ],
    });
    expect(both.warnings).toEqual([]);
    expect(large!.accuracy).toBeLessThan(small!.accuracy);
    const alone = await measured("--attack", "apgd", "--steps", "3", "--epsilon", "2/255");
    expect(alone.attacks[0]).not.toHaveProperty("stages");
    expect(alone.attacks[0]).toMatchObject({ attack: "apgd-ce", accuracy: large!.stages![0]!.accuracy });
  });

  test("each by its name: norms, losses, restarts, averaging, queries", async () => {
    const l2 = ["--norm", "l2", "--epsilon", "1.5"];
    for (const [args, name, norm] of [
      [["--attack", "pgd", "--steps", "3", "--restarts", "2", ...l2], "pgd", "l2"],
      [
        ["--attack", "apgd", "--steps", "3", "--attack-loss", "embedding-l2", "--eot", "2"],
        "apgd-embedding-l2",
        "linf",
      ],
      [["--attack", "square", "--queries", "20", ...l2], "square", "l2"],
      [["--attack", "fab-t", "--steps", "3", "--targets", "2"], "fab-t", "linf"],
      [["--attack", "uniform-noise", "--epsilon", "0.1"], "uniform-noise", "linf"],
      [["--attack", "gaussian-noise", "--epsilon", "0.1"], "gaussian-noise", "none"],
    ] as const) {
      const { clean, attacks } = await measured(...args);
      expect(attacks, name).toMatchObject([{ attack: name, norm }]);
      expect(attacks[0]!.accuracy, name).toBeLessThanOrEqual(clean);
    }
  });

  test("too few classes for an attack: measured with the others, said on stderr and in JSON", async () => {
    const three = ["--data", at("three")];
    const table = await lore(evaluate("--attack", "lore", "--epsilon", "1/255", ...three));
    expect(table.code, table.stderr).toBe(0);
    expect(table.stderr).toMatch(/^Warning: With 3 classes apgd-t cannot be run/m);
    const { warnings, attacks } = await measured("--attack", "lore", "--epsilon", "1/255", ...three);
    expect(warnings).toEqual([expect.stringMatching(/With 3 classes apgd-t cannot be run.*apgd-ce alone/)]);
    expect(attacks[0]!.stages!.map(({ attack }) => attack)).toEqual(["apgd-ce"]);
    await expectRefused(evaluate("--attack", "apgd-t", ...three), /With 3 classes apgd-t cannot be run.*apgd-ce/);
  });

  test("--quantize and --surrogate are said; a surrogate's images break fewer", async () => {
    const own = await measured("--attack", "pgd", "--epsilon", "4/255", "--steps", "5");
    const { code, stdout, stderr } = await lore(
      evaluate("--attack", "pgd", "--epsilon", "4/255", "--steps", "5", "--quantize", "--surrogate", at("other")),
    );
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/pgd linf, 5 steps of epsilon \/ 4; made on .*other; rounded to 8 bits$/m);
    const transfer = await measured(
      "--attack",
      "pgd",
      "--epsilon",
      "4/255",
      "--steps",
      "5",
      "--surrogate",
      at("other"),
    );
    expect(accuracies(transfer)[0]).toBeGreaterThan(accuracies(own)[0]!);
  });

  test("what cannot be is one clear error", async () => {
    await expectRefused(evaluate("--attack", "pgdd"), /no attack "pgdd"; there are none, pgd, .*square.*lore/);
    await expectRefused(
      evaluate("--attack", "autoattack", "--steps", "3"),
      /--steps does not go with --attack autoattack/,
    );
    await expectRefused(evaluate("--quantize"), /--quantize needs an attack/);
    await expectRefused(evaluate("--surrogate", shapes), /--surrogate needs an attack/);
    await expectRefused(evaluate("--attack", "pgd", "--save-adversarial"), /--save-adversarial needs --out/);
    await expectRefused(
      evaluate("--attack", "pgd", "--card", "--surrogate", shapes),
      /--card does not go with --surrogate/,
    );
    await expectRefused(evaluate("--attack", "pgd", "--surrogate", at("nowhere")), /No encoder at .*nowhere/);
    saveEncoder(tinyEncoder(), at("smaller"));
    await expectRefused(evaluate("--attack", "pgd", "--surrogate", at("smaller")), /32-pixel.*--image-size/);
  });
});

describe("--out", () => {
  const lines = (folder: string): readonly string[] =>
    readFileSync(join(folder, "results.jsonl"), "utf8").trimEnd().split("\n");

  test("keeps every image's results and the settings; gone on with, it measures only what is missing", async () => {
    const out = at("kept");
    const args = [...apgd, "--epsilon", "2/255", "--out", out, "--save-adversarial"];
    const whole = await measured(...args);
    const all = lines(out);
    expect(JSON.parse(all[0]!)).toMatchObject({
      index: expect.any(Number),
      attack: "clean",
      label: expect.any(Number),
    });
    expect(JSON.parse(readFileSync(join(out, "settings.json"), "utf8"))).toMatchObject({
      encoder: { spec: shapes, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
      data: "synthetic:16",
      seed: 0,
      imageSize: 32,
      quantize: false,
      attacks: [{ kind: "autoattack", epsilon: 2 / 255, attacks: [{ steps: 3 }, { targets: 2 }] }],
    });
    expect(readdirSync(join(out, "adversarial")).every((name) => name.endsWith(".safetensors"))).toBe(true);

    const kept = all.slice(0, 20);
    writeFileSync(join(out, "results.jsonl"), `${kept.join("\n")}\n${all[20]!.slice(0, 9)}`);
    // Threads and batch change no number, so they may differ.
    const again = await measured(...args, "--batch", "5");
    expect(accuracies(again)).toEqual(accuracies(whole));
    expect(lines(out).slice(0, 20)).toEqual(kept);
    expect(lines(out)).toHaveLength(all.length);
  });

  test("refuses what would mix results", async () => {
    const out = at("mixed");
    await measured("--attack", "pgd", "--steps", "2", "--out", out);
    const again = (...more: readonly string[]) => evaluate("--attack", "pgd", "--out", out, ...more);
    await expectRefused(again("--steps", "3"), /other settings \(attacks\)/);
    await expectRefused(again("--steps", "2", "--seed", "1"), /other settings \(.*seed/);
    await expectRefused(again("--steps", "2", "--limit", "4"), /other settings \(limit\)/);
    await expectRefused(again("--steps", "2", "--quantize"), /other settings \(quantize\)/);
    await expectRefused(again("--steps", "2", "--surrogate", shapes), /other settings \(surrogate\)/);
    await expectRefused(again("--steps", "2", "--save-adversarial"), /were not saved/);
    writeFileSync(at("file"), "");
    await expectRefused(evaluate("--out", at("file")), /cannot be kept in .*file/);
  });

  test("refuses an encoder whose weights have changed", async () => {
    const args = ["evaluate", "--encoder", at("retrained"), "--data", "synthetic:8", "--out", at("weights")];
    saveEncoder(tinyEncoder({ seed: 1 }), at("retrained"));
    expect(await lore(args)).toMatchObject({ code: 0 });
    saveEncoder(tinyEncoder({ seed: 2 }), at("retrained"));
    await expectRefused(args, /other settings \(encoder\).*other weights/);
  });

  test("refuses data whose files have changed", async () => {
    const image = (level: number, side: number) =>
      sharp({ create: { width: side, height: side, channels: 3, background: { r: level, g: 9, b: 9 } } })
        .png()
        .toBuffer();
    for (const [i, name] of ["a", "b", "c", "d", "e", "f", "g", "h"].entries()) {
      mkdirSync(at(`changing/${name}`), { recursive: true });
      writeFileSync(at(`changing/${name}/1.png`), await image(20 * i, 8));
    }
    saveEncoder(tinyEncoder(), at("steady"));
    const args = ["evaluate", "--encoder", at("steady"), "--data", at("changing"), "--out", at("changing-out")];
    expect(await lore(args)).toMatchObject({ code: 0 });
    expect(await lore(args)).toMatchObject({ code: 0 });
    writeFileSync(at("changing/c/1.png"), await image(200, 300));
    await expectRefused(args, /other settings \(images\)\. That is, the data has other images.*sizes/);
  });

  test("keeps a finding for lore report, with pictures of attacked images", async () => {
    const out = at("pictured");
    const whole = await measured(
      "--attack",
      "pgd",
      "--steps",
      "2",
      "--epsilon",
      "2/255",
      "--out",
      out,
      "--examples",
      "2",
    );
    const { kind, content } = readFinding(out);
    if (kind !== "evaluation") throw new Error(kind);
    expect(content.evaluations).toEqual([{ ...whole, encoder: shapes }]);
    expect(content.settings).toEqual(["pgd linf, 2 steps of epsilon / 4"]);
    expect(content.examples).toHaveLength(2);
    for (const { encoder, attack, label, predictedClean, picture } of content.examples) {
      expect({ encoder, attack }).toEqual({ encoder: shapes, attack: "pgd 2/255" });
      expect(picture.description).toContain(label);
      expect(predictedClean).not.toBe("");
      // Three images of 32 pixels, enlarged to 128, with 6 around each.
      expect(await sharp(join(out, picture.file)).metadata()).toMatchObject({
        width: 3 * 128 + 4 * 6,
        height: 128 + 12,
      });
    }
    await expectRefused(evaluate("--examples", "2", "--out", out), /--examples needs an attack/);
    const attack = ["--attack", "pgd", "--steps", "2", "--examples", "2"];
    await expectRefused(evaluate(...attack), /--examples needs --out/);
    await expectRefused(evaluate(...attack, "--out", out, "--quantize"), /--examples does not go with --quantize/);
  });

  test("has a folder for each of several encoders", async () => {
    const out = at("several");
    const args = ["--encoder", at("other"), "--out", out];
    const { code, stderr } = await lore(evaluate(...args));
    expect(code, stderr).toBe(0);
    expect(readFinding(out)).toMatchObject({
      content: { evaluations: [{ encoder: shapes }, { encoder: at("other") }] },
    });
    const folders = readdirSync(out).filter((name) => name !== "finding.json");
    expect(folders).toHaveLength(2);
    for (const folder of folders) {
      expect(folder).toMatch(/^[\w.@][\w.@-]*(clip-shapes|other)$/);
      expect(lines(join(out, folder))).toHaveLength(16);
    }
  });
});

describe("Ctrl-C", () => {
  // The first attack is done when the signal is sent, the second takes a while.
  const args = ["--attack", "apgd", "--steps", "40", "--epsilon", "1/255,0.9/255", "--data", "synthetic:12"];
  const first = /apgd-ce 1\/255 {2}\d/;

  test("keeps what was measured, says how to go on, exits with 130; gone on with, the numbers are the same", async () => {
    const out = at("stopped");
    const stopped = await interrupted(evaluate(...args, "--out", out), first);
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stdout).toBe("");
    expect(stopped.stderr).toMatch(/Stopping.*Ctrl-C again/);
    const kept = /Stopped\. .*stopped keeps 12 clean predictions and (\d+) results of attacks\. Go on with the same/;
    expect(stopped.stderr).toMatch(kept);
    const results = Number(kept.exec(stopped.stderr)![1]);
    expect(readFileSync(join(out, "results.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(12 + results);
    const [resumed, whole] = [await measured(...args, "--out", out), await measured(...args)];
    expect(accuracies(resumed)).toEqual(accuracies(whole));
    // What the first call measured takes the second no time.
    expect(resumed.attacks[0]!.seconds).toBeLessThan(whole.attacks[0]!.seconds / 5);
  });

  test("without --out says that nothing was kept", async () => {
    const stopped = await interrupted(evaluate(...args), first);
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stderr).toMatch(/Nothing was kept; with --out FOLDER/);
    expect(existsSync("settings.json")).toBe(false);
  });
});
