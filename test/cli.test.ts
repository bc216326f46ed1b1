import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { saveEncoder } from "../src/models/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { tinyClip } from "../src/testing/tiny-clip.ts";
import { interrupted, lore as spawnLore } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-cli-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const at = (name: string): string => join(base, name);
const encoder = at("tiny");

/** Settings of a training of moments. */
const quick = ["--batch", "8", "--epochs", "1", "--attack-steps", "2", "--learning-rate", "1e-3", "--threads", "1"];
const train = (out: string, ...more: readonly string[]): readonly string[] => [
  ...["train", "--encoder", encoder, "--data", "synthetic:16", "--out", at(out), ...quick],
  ...more,
];

beforeAll(async () => {
  saveEncoder(tinyEncoder(), encoder);
  for (const [i, folder] of ["a", "b"].entries()) {
    mkdirSync(at(`mixed/${folder}`), { recursive: true });
    const raw = { width: 8, height: 8, channels: 3 } as const;
    for (const j of [0, 1]) {
      const pixels = Buffer.alloc(192, 60 + 80 * i + 20 * j);
      writeFileSync(at(`mixed/${folder}/${j}.png`), await sharp(pixels, { raw }).png().toBuffer());
    }
  }
  writeFileSync(at("mixed/a/broken.jpg"), "no image");
  writeFileSync(
    at("mixed/classes.json"),
    JSON.stringify([
      { folder: "a", index: 3, name: "first" },
      { folder: "b", index: 5, name: "second" },
    ]),
  );
  mkdirSync(at("empty"));
  mkdirSync(at("cut"));
  writeFileSync(at("cut/model.safetensors"), readFileSync(join(encoder, "model.safetensors")).subarray(0, 3000));
});

describe("lore evaluate", () => {
  test("--json prints JSON and nothing else on stdout; a broken file is skipped, counted and listed", async () => {
    const { code, stdout, stderr } = await lore([
      ...["evaluate", "--encoder", encoder, "--data", at("mixed"), "--attack", "pgd", "--steps", "2"],
      ...["--epsilon", "0,8/255", "--threads", "1", "--json"],
    ]);
    expect(code, stderr).toBe(0);
    const result = JSON.parse(stdout) as { clean: number; attacks: { accuracy: number; seconds: number }[] };
    expect(result).toMatchObject({
      encoder,
      dataset: at("mixed"),
      images: 4,
      classes: 2,
      attacks: [
        { attack: "pgd", norm: "linf", epsilon: 0, accuracy: result.clean },
        { attack: "pgd", norm: "linf", epsilon: 8 / 255 },
      ],
    });
    expect(Object.keys(result)).toEqual([
      "encoder",
      "dataset",
      "images",
      "skipped",
      "classes",
      "clean",
      "attacks",
      "warnings",
    ]);
    expect(result.attacks[1]!.accuracy).toBeLessThanOrEqual(result.clean);
    expect(stderr).toMatch(/Skipped 1 file/);
    expect(stderr).toMatch(/a\/broken\.jpg: /);
  });

  test("two encoders make one table, and one beside the first", async () => {
    const { code, stdout, stderr } = await spawnLore([
      ...["evaluate", "--encoder", encoder, "--encoder", encoder, "--data", "synthetic:8", "--limit", "8"],
    ]);
    expect(code, stderr).toBe(0);
    const [measured, beside] = stdout.split("\n\n");
    expect(measured!.split("\n").filter((line) => line.startsWith(encoder))).toHaveLength(2);
    expect(measured).toMatch(/^encoder +clean$/m);
    expect(beside!.split("\n")[0]).toMatch(/^beside .*tiny +clean$/);
    expect(beside!.split("\n").at(-1)).toMatch(/^.*tiny +0\.0 \(p = 1\.000\)$/);
    expect(stdout).toMatch(/8 images of synthetic:8, 8 classes/);
  });

  test("bad input: exit code 2 and one clear error", async () => {
    const evaluate = (...args: readonly string[]) => [
      "evaluate",
      "--encoder",
      encoder,
      "--data",
      "synthetic:8",
      ...args,
    ];
    await expectRefused(evaluate("--attack", "pgd", "--epsilon", "1/255,2"), /Epsilon 2 .*\[0, 1\].*2\/255/);
    await expectRefused(evaluate("--attack", "pgd", "--epsilon", "1/255,x"), /--epsilon.*'1\/255,x'.*2\/255/);
    await expectRefused(["evaluate", "--encoder", encoder, "--data", at("nowhere")], /No data at .*nowhere/);
    await expectRefused(["evaluate", "--encoder", encoder, "--data", at("mixed"), "--strict"], /mixed\/a\/broken\.jpg/);
    await expectRefused(
      ["evaluate", "--encoder", at("cut"), "--data", "synthetic:8"],
      /cut\/model\.safetensors.*cut short/,
    );
    await expectRefused(evaluate("--image-size", "10"), /Image size 10.*multiple.*4/);
    await expectRefused(evaluate("--wrong"), /unknown option '--wrong'/);
    await expectRefused(evaluate("--epsilon", "1/255", "2/255"), /too many arguments[\s\S]*written with commas/);
  });
});

describe("lore evaluate with a CLIP", () => {
  const clip = (): string => at("clip");
  const evaluate = (...more: readonly string[]): readonly string[] => [
    ...["evaluate", "--encoder", clip(), "--threads", "1", "--batch", "8"],
    ...more,
  ];
  beforeAll(() => {
    vi.stubEnv("XDG_CACHE_HOME", at("cache"));
    saveEncoder(tinyClip(), clip());
  });
  afterAll(() => vi.unstubAllEnvs());

  test("classifies zero-shot by the data's class names, with the data's prompts or others", async () => {
    const pairs = await lore(evaluate("--data", "synthetic:16:heldout:colour-shape", "--json"));
    expect(JSON.parse(pairs.stdout)).toMatchObject({ encoder: clip(), images: 16, classes: 64 });
    const { code, stdout } = await lore(evaluate("--data", at("mixed"), "--templates", "a photo of a {}"));
    expect(stdout).toMatch(/4 images of .*mixed \(1 more could not be read\), 2 classes/);
    expect(code).toBe(0);
  });

  test("attacks the file's own pixels; what was measured joins the card", async () => {
    // The pictures have 8 pixels, the encoder 16 positions for 16.
    const larger = evaluate("--data", at("mixed"), "--image-size", "16", "--attack", "pgd", "--steps", "2", "--card");
    const { code, stderr } = await lore([...larger, "--attack-resolution", "native"]);
    expect(code, stderr).toBe(0);
    expect(readFileSync(join(clip(), "README.md"), "utf8")).toMatch(
      /mixed, 4 images, 2 classes \| pgd \| linf \| 2\/255/,
    );
    await expectRefused(
      evaluate("--data", "synthetic:4", "--attack-resolution", "native"),
      /no resolution of their own/,
    );
  });

  test("says what is wrong with prompts, activations and hub ids", async () => {
    await expectRefused(evaluate("--data", at("mixed"), "--templates", "imagnet"), /no such set or file.*imagenet/);
    await expectRefused(evaluate("--data", at("mixed"), "--activation", "relu"), /quick_gelu, gelu/);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    vi.stubEnv("HF_HOME", at("hub"));
    const hub = ["evaluate", "--data", at("mixed"), "--encoder", "openai/clip-vit-base-patch32"];
    await expectRefused(
      hub,
      /openai\/clip-vit-base-patch32: no such folder here\. As a hub id: offline mode is on.*holds no complete copy/,
    );
    await expectRefused([...hub, "--card"], /is on the hub: save it/);
  });
});

describe("lore", () => {
  test("an unknown command is exit code 2 of the process, --version is 0", async () => {
    const unknown = await spawnLore(["trian"]);
    expect(unknown).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/unknown command 'trian'/) });
    expect(await lore(["--version"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
  });
});

describe("lore train", () => {
  test("trains, says where the encoder is, refuses the folder a second time; the run is an encoder", async () => {
    const { code, stdout, stderr } = await lore(train("run", "--method", "fare", "--json"));
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      run: at("run"),
      finished: true,
      steps: 2,
      last: { step: 2, images: 16 },
    });
    const before = readFileSync(at("run/run.json"), "utf8");
    expect(JSON.parse(before)).toMatchObject({
      flags: { method: "fare", seed: 0 },
      objective: { stepsPerBatch: 1 },
      versions: {},
    });
    await expectRefused(train("run"), /run already holds a run.*--resume.*nothing was overwritten/);
    await expectRefused(["train", "--resume", at("run"), "--epochs", "3"], /--epochs cannot be given with --resume/);
    expect(readFileSync(at("run/run.json"), "utf8")).toBe(before);
    const again = await lore(["evaluate", "--encoder", at("run"), "--data", "synthetic:8"]);
    expect(again.code, again.stderr).toBe(0);
  });

  test("TeCoA by the encoder's head, held by class distributions; resumed with the same", async () => {
    const flags = ["--method", "tecoa", "--constraint", "classes", "--rho", "0.5", "--dual", "scalar", "--json"];
    const { code, stdout, stderr } = await lore(train("tecoa", ...flags));
    expect(code, stderr).toBe(0);
    const last = {
      step: 2,
      advLoss: expect.any(Number),
      threshold: expect.any(Number),
      lambdaMean: expect.any(Number),
    };
    expect(JSON.parse(stdout)).toMatchObject({ finished: true, last });
    expect(JSON.parse(readFileSync(at("tecoa/run.json"), "utf8"))).toMatchObject({
      objective: {
        name: "tecoa",
        loss: { kind: "cross-entropy", classifier: { kind: "linear", weight: { shape: [8, 16] } } },
        stepsPerBatch: 1,
        constraint: { divergence: "classes", margin: { kind: "entropy", rho: 0.5 }, dual: { kind: "scalar" } },
      },
    });
    const again = await lore(["train", "--resume", at("tecoa")]);
    expect(again.code, again.stderr).toBe(0);
    await expectRefused(
      train("bad", "--method", "tecoa", "--data", at("mixed/a")),
      /mixed\/a: tecoa needs labelled images, one sub-folder a class/,
    );
    await expectRefused(
      train("bad", "--constraint", "classes"),
      /--constraint classes does not go with --method robust/,
    );
    await expectRefused(train("bad", "--method", "fare", "--constraint", "embedding"), /--method fare.*is none/);
    expect(existsSync(at("bad"))).toBe(false);
  });

  test("bad input leaves no run folder", async () => {
    writeFileSync(at("unknown.json"), JSON.stringify({ epochs: 1, leraningRate: 1 }));
    await expectRefused(train("bad", "--config", at("unknown.json")), /unknown option '--leraning-rate'/);
    await expectRefused(train("bad", "--preset", "papre"), /Unknown preset papre.*paper/);
    await expectRefused(
      ["train", "--encoder", encoder, "--data", at("empty"), "--out", at("bad")],
      /empty holds no images/,
    );
    await expectRefused(["train", "--encoder", encoder, "--data", "synthetic:8"], /--out is missing/);
    await expectRefused(train("bad", "--epsilon", "2"), /--epsilon.*'2'.*2\/255/);
    await expectRefused(["train", "--resume", at("empty")], /empty holds no run/);
    expect(existsSync(at("bad"))).toBe(false);
  });

  test("--config takes options by their names, what the command line says wins; --preset too", async () => {
    const config = {
      epsilon: "4/255",
      method: "lore",
      stepsPerBatch: 3,
      "attack-steps": 1,
      rho: 0.5,
      dual: "scalar",
      strict: true,
    };
    writeFileSync(at("good.json"), JSON.stringify(config));
    const args = train("configured", "--preset=paper", `--config=${at("good.json")}`, "--rho", "0.25", "--seed", "7");
    const { code, stderr, stdout } = await lore(args);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/2 batches in .*any command takes .*configured as --encoder/);
    expect(JSON.parse(readFileSync(at("configured/run.json"), "utf8"))).toMatchObject({
      objective: {
        name: "lore",
        stepsPerBatch: 3,
        attack: { epsilon: 4 / 255, steps: 2 },
        constraint: { margin: { rho: 0.25, exponent: 2 }, dual: { kind: "scalar", learningRate: 5e-4 } },
      },
      settings: { learningRate: 1e-3, weightDecay: 1e-4, seed: 7 },
    });
  });

  test("Ctrl-C finishes the step, saves, says how to resume; resumed, it is the run that was not interrupted", async () => {
    // Enough steps that the signal arrives before the end: progress is written as soon as the first is done.
    const long = ["--data", "synthetic:256", "--batch", "4", "--steps-per-batch", "1"];
    const stopped = await interrupted(train("stopped", ...long), /robust {2}\d/);
    expect(stopped.stderr).toMatch(/Stopping after this batch/);
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stdout).toMatch(/Stopped after \d+ batches?\. Continue with: lore train --resume .*stopped/);
    const lines = (run: string) =>
      readFileSync(at(`${run}/metrics.jsonl`), "utf8")
        .trimEnd()
        .split("\n");
    // A tenth of the images is held out.
    const steps = Math.ceil((256 - 25) / 4);
    expect(lines("stopped").length).toBeLessThan(steps);
    expect(readdirSync(at("stopped")).sort()).toEqual(["checkpoints", "metrics.jsonl", "run.json"]);

    const resumed = await lore(["train", "--resume", at("stopped")]);
    const whole = await lore(train("whole", ...long));
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(whole.code, whole.stderr).toBe(0);
    expect(lines("stopped")).toHaveLength(steps);
    const weights = (run: string) => readFileSync(at(`${run}/encoder/model.safetensors`));
    expect(weights("stopped").equals(weights("whole"))).toBe(true);
  });
});
