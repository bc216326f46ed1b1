import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoProcessor, env, RawImage } from "@huggingface/transformers";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { preprocess } from "../src/data/index.ts";
import { usualFraming } from "../src/framing.ts";
import { loadEncoder, saveEncoder } from "../src/index.ts";
import { randomStream } from "../src/random.ts";
import { tinyClip } from "../src/testing/tiny-clip.ts";
import { lore } from "./in-process.ts";

env.allowRemoteModels = false;
const base = mkdtempSync(join(tmpdir(), "lore-preprocessing-"));
const at = (name: string): string => join(base, name);
const names = ["a", "cat", "photo", "red"];

/** Two pictures a class, none of them a square of 8 pixels. */
beforeAll(async () => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  const random = randomStream("pictures");
  for (const [i, name] of names.entries()) {
    mkdirSync(at(`data/${name}`), { recursive: true });
    for (const [j, [width, height]] of (
      [
        [13, 9 + i],
        [9, 16],
      ] as const
    ).entries()) {
      const pixels = Buffer.from(Array.from({ length: width * height * 3 }, () => Math.floor(random.uniform(0, 256))));
      await sharp(pixels, { raw: { width, height, channels: 3 } })
        .png()
        .toFile(at(`data/${name}/${j}.png`));
    }
  }
  for (const [name, config] of Object.entries(configs)) {
    saveEncoder(tinyClip(), at(name));
    writeFileSync(at(`${name}/preprocessor_config.json`), JSON.stringify(config));
  }
  writeFileSync(
    at("suite.yaml"),
    `{ name: test, attack: { name: pgd, steps: 1 }, epsilons: [2/255], sets: [{ name: d, title: D, data: data }] }`,
  );
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

const statistics = { image_mean: [0.5, 0.4, 0.3], image_std: [0.2, 0.3, 0.25] };
const configs = {
  uncut: { do_resize: false, do_center_crop: false, crop_size: 8, ...statistics },
  cropped: { size: { shortest_edge: 10 }, crop_size: { height: 8, width: 8 }, resample: 2, ...statistics },
} as const;

const one = ["--threads", "1", "--device", "cpu"];
/** Every command that reads images, on an encoder. */
const commands: Readonly<Record<string, (encoder: string) => readonly string[]>> = {
  evaluate: (encoder) => ["evaluate", "--encoder", encoder, "--data", at("data")],
  corruptions: (encoder) => ["corruptions", "--encoder", encoder, "--data", at("data"), "--severities", "1"],
  fidelity: (encoder) => ["fidelity", "--original", encoder, "--encoder", encoder, "--data", at("data")],
  probe: (encoder) => ["probe", "--encoder", encoder, "--train", at("data"), "--data", at("data")],
  interpret: (encoder) => ["interpret", "--encoder", encoder, "--data", at("data"), "--towards", "a cat"],
  train: (encoder) => [
    "train",
    "--encoder",
    encoder,
    "--data",
    at("data"),
    "--attack-steps",
    "1",
    "--epochs",
    "1",
    "--out",
    at(`run-${count++}`),
  ],
  attack: (encoder) => [
    "attack",
    "--encoder",
    encoder,
    "--steps",
    "1",
    at("data/cat"),
    "--out",
    at(`attacked-${count++}`),
  ],
  benchmark: (encoder) => ["benchmark", "--encoder", encoder, "--suite", at("suite.yaml"), "--data-root", base],
};
let count = 0;

describe.each(Object.entries(commands))("lore %s", (_, command) => {
  test("says in a line how images are prepared, and prepares them so", async () => {
    const { code, stderr } = await lore([...command(at("cropped")), ...one]);
    expect(code, stderr).toBe(0);
    const line = `Images for ${at("cropped")}: shorter edge to 10 pixels (bilinear), centre 8 x 8 cut out; mean 0.5 0.4 0.3, std 0.2 0.3 0.25.`;
    expect(stderr.split("\n")).toContain(line);
    expect(stderr).not.toMatch(/are needed/);

    // No picture is 8 x 8: whoever resized them after all would not fail here.
    const uncut = await lore([...command(at("uncut")), ...one]);
    expect(uncut.code).not.toBe(0);
    expect(uncut.stderr).toContain(`Images for ${at("uncut")}: taken as they are, 8 x 8 pixels;`);
    expect(uncut.stderr).toMatch(/it is \d+ x \d+ pixels, and 8 x 8 are needed, since nothing is resized or cut/);
  });
});

test("--image-size scales the resize in proportion", async () => {
  const { stderr } = await lore([...commands.evaluate!(at("cropped")), "--image-size", "16", ...one]);
  expect(stderr).toContain("shorter edge to 20 pixels (bilinear), centre 16 x 16 cut out");
});

describe("transformers.js, where it need not resize, gives the pixels that we give the encoder", () => {
  // Where it must, it does so without the antialiasing of Pillow, unlike transformers in Python.
  test.each<readonly [string, object, readonly [number, number]]>([
    ["cut, of odd margins", { do_resize: false, do_center_crop: true, crop_size: 8 }, [15, 13]],
    ["cut, of another margin", { do_resize: false, do_center_crop: true, crop_size: { height: 8, width: 8 } }, [11, 8]],
    ["as they are", { do_resize: false, crop_size: 8, do_center_crop: false }, [8, 8]],
    ["resized to what they are", { size: { height: 8, width: 8 }, do_center_crop: false, crop_size: 8 }, [8, 8]],
    ["not normalised", { size: { shortest_edge: 8 }, do_center_crop: true, crop_size: 8, do_normalize: false }, [8, 8]],
    ["not rescaled", { size: { shortest_edge: 8 }, do_center_crop: true, crop_size: 8, do_rescale: false }, [8, 8]],
    [
      "rescaled to [0, 2]",
      { size: { shortest_edge: 8 }, crop_size: 8, do_center_crop: true, rescale_factor: 1 / 127.5 },
      [8, 8],
    ],
  ])("%s", async (_, config, [width, height]) => {
    const folder = at(`js-${count++}`);
    saveEncoder(tinyClip(), folder);
    const full = { image_processor_type: "CLIPImageProcessor", do_normalize: true, ...statistics, ...config };
    writeFileSync(join(folder, "preprocessor_config.json"), JSON.stringify(full));
    const data = new Uint8ClampedArray(width * height * 3).map((__, i) => (i * 37) % 256);
    const compare = async (from: string): Promise<void> => {
      const processor = await AutoProcessor.from_pretrained(from, {});
      const { pixel_values: theirs } = await processor(new RawImage(data, width, height, 3));
      const { framing, normalization } = await loadEncoder(from);
      const ours = preprocess({ width, height, data: new Uint8Array(data) }, framing).data;
      expect(theirs.dims).toEqual([1, 3, 8, 8]);
      for (const [i, value] of (theirs.data as Float32Array).entries()) {
        const c = Math.floor(i / 64) as 0 | 1 | 2;
        const own = (ours[(i % 64) * 3 + c]! / 255 - normalization.mean[c]) / normalization.std[c];
        // A few roundings of float32.
        expect(Math.abs(own - value) / Math.max(1, Math.abs(own))).toBeLessThan(2e-6);
      }
    };
    await compare(folder);
    // What is saved says the same in other words.
    const again = at(`js-${count++}`);
    saveEncoder(await loadEncoder(folder), again);
    await compare(again);
  });
});

const faults = fileURLToPath(new URL("../../shared/data/faults/preprocessor-config/", import.meta.url));
const hasData = existsSync(faults);

describe.skipIf(!hasData)(`small inputs that came out wrong${hasData ? "" : " (no ../shared/data)"}`, () => {
  const half = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
  const plain = { mean: [0, 0, 0], std: [1, 1, 1] };
  const exact = { kind: "exact", width: 32, height: 32, filter: "bicubic" };
  test.each([
    ["nonorm", { ...usualFraming(32), resize: exact, crop: "none" }, plain],
    ["resize40", { size: 32, resize: { kind: "shortest", edge: 40, filter: "bicubic" }, crop: "down" }, half],
    ["ints", { ...usualFraming(32), crop: "down" }, half],
  ] as const)("%s is computed as its file says, and saved so", async (name, framing, normalization) => {
    const folder = at(`fault-${name}`);
    cpSync(join(faults, name), folder, { recursive: true });
    const encoder = await loadEncoder(folder);
    expect([encoder.framing, encoder.normalization]).toEqual([framing, normalization]);
    saveEncoder(encoder, at(`fault-${name}-saved`));
    const again = await loadEncoder(at(`fault-${name}-saved`));
    expect([again.framing, again.normalization]).toEqual([framing, normalization]);
  });
});
