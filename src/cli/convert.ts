import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { openBatches, synthetic } from "../data/index.ts";
import { LoreError, UsageError } from "../errors.ts";
import { sameFraming } from "../framing.ts";
import { embedImages, rowOf } from "../inference/index.ts";
import { type Encoder, loadEncoder, narrowWeights, saveEncoder, saveFloat16Copies } from "../models/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { command } from "./command.ts";
import { encoderOption, openEncoder, openingOptions } from "./encoder.ts";
import { printJson } from "./measuring.ts";
import { type Flags, flag, option } from "./option.ts";
import { compileFlags, computeOptions } from "./options.ts";
import { oneOf, text } from "./parsers.ts";
import { ProgressLine } from "./progress.ts";

const options = {
  encoder: encoderOption,
  ...openingOptions,
  format: option("--format <format>", oneOf(["safetensors", "onnx"]), {
    help: "safetensors for Python, onnx for ONNX Runtime and transformers.js; a CLIP is written with both towers",
    topic: "results",
    required: true,
  }),
  float16: flag("--float16", {
    help: "safetensors: write the weights in float16; onnx: add a float16 copy of each file, for dtype fp16 in transformers.js",
    topic: "results",
  }),
  out: option("--out <folder>", text, {
    help: "folder to create; any command takes it as --encoder",
    topic: "results",
    required: true,
  }),
  ...computeOptions,
};

type ConvertFlags = Flags<typeof options>;

export function convertCommand() {
  return command({
    name: "convert",
    description: "write an encoder in another format and check that both give the same outputs",
    options,
    essentials: ["encoder", "format", "out", "float16", "imageSize"],
    examples: [
      "convert --encoder openai/clip-vit-base-patch32 --format onnx --out clip-onnx",
      "convert --encoder facebook/dinov2-small --image-size 112 --format onnx --float16 --out dinov2-112",
    ],
    run,
  });
}

/**
 * Largest differences of outputs that count as rounding, relative to their length. In float32, sums in another order
 * differ by some 1e-6, in deep encoders by 1e-4. float16 has 11 bits, whose errors of 5e-4 add up over layers. A wrong
 * conversion differs by about 1.
 */
const tolerance = { float32: 1e-3, float16: 5e-2 } as const;

const comparedImages = 4;
const comparedTexts = ["a photo of a cat", "a red square on a white table", "dog"];

async function run(flags: ConvertFlags): Promise<void> {
  const { out, format, float16, json } = flags;
  if (existsSync(out)) throw new UsageError(`${out} is there already; give another --out. Nothing was overwritten.`);
  const progress = new ProgressLine();
  const compute = await compileFlags(flags);
  const encoder = await openEncoder(flags.encoder, flags, progress);
  const compared: Difference[] = [];
  try {
    saveEncoder(encoder, out, { card: { format } });
    if (float16 && format === "safetensors") narrowWeights(out);
    progress.note("Comparing outputs.");
    const saved = await loadEncoder(out);
    checkSame(encoder, saved);
    const allowed = float16 && format === "safetensors" ? tolerance.float16 : tolerance.float32;
    compared.push(...(await differences(encoder, saved, allowed, compute)));
    if (float16 && format === "onnx") compared.push(...(await copyInFloat16(out, encoder)));
    for (const difference of compared) check(difference);
  } catch (error) {
    rmSync(out, { recursive: true, force: true });
    throw error;
  } finally {
    progress.end();
  }
  const files = filesIn(out);
  if (json) {
    const { imageSize, embeddingSize } = encoder;
    const facts = { encoder: flags.encoder, out, format, imageSize, embeddingSize };
    printJson({ ...facts, files, differences: compared.map(({ of, relative }) => ({ of, relative })) });
    return;
  }
  const lines = [
    ...files.map(({ path, bytes }) => `${join(out, path)}  ${megabytes(bytes)}`),
    "",
    ...compared.map(
      ({ of, relative }) => `${of}: largest difference ${relative.toExponential(1)} of the output's length`,
    ),
    `Any command takes ${out} as --encoder.`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** The largest l2 difference of some outputs, relative to the original's length. */
interface Difference {
  /** The outputs, in words. */
  readonly of: string;
  readonly relative: number;
  readonly allowed: number;
}

/** @throws LoreError when the outputs differ by more than rounding explains */
function check({ of, relative, allowed }: Difference): void {
  if (relative <= allowed) return;
  throw new LoreError(
    `${of}: the converted encoder's outputs differ by ${relative.toExponential(1)} of their length, more than ${allowed}. Nothing was kept.`,
  );
}

/** @throws LoreError when images would be prepared differently, or the text tower is missing */
function checkSame(encoder: Encoder, saved: Encoder): void {
  const problem =
    (saved.imageSize !== encoder.imageSize && `takes images of ${saved.imageSize} pixels, not ${encoder.imageSize}`) ||
    (saved.embeddingSize !== encoder.embeddingSize &&
      `gives ${saved.embeddingSize} numbers, not ${encoder.embeddingSize}`) ||
    (!sameFraming(saved.framing, encoder.framing) && "prepares images otherwise") ||
    (encoder.text && !saved.text && "has lost its text tower");
  if (problem) throw new LoreError(`The converted encoder ${problem}. Nothing was kept.`);
}

/** Differences from the original's embeddings, for a few generated images and, with a text tower, for texts. */
async function differences(
  encoder: Encoder,
  saved: Encoder,
  allowed: number,
  compute: CompileOptions,
): Promise<readonly Difference[]> {
  const pixels = await fewImages(encoder);
  const images = [await embedImages(encoder, pixels, compute), await embedImages(saved, pixels, compute)] as const;
  const found = [{ of: `${comparedImages} images`, relative: largest(...images, comparedImages), allowed }];
  if (!encoder.text || !saved.text) return found;
  const texts = [
    await encoder.text.embed(comparedTexts, compute),
    await saved.text.embed(comparedTexts, compute),
  ] as const;
  const count = comparedTexts.length;
  return [...found, { of: `${count} texts`, relative: largest(...texts, count), allowed }];
}

async function fewImages({ framing }: Encoder): Promise<Float32Array> {
  const source = synthetic({ count: comparedImages });
  const order = source.items.map((_, i) => i);
  for await (const { pixels } of openBatches(source, { order, batch: comparedImages, framing })) return pixels;
  throw new LoreError("No images were generated.");
}

function largest(original: Float32Array, converted: Float32Array, rows: number): number {
  const each = Array.from({ length: rows }, (_, i) => {
    const [a, b] = [rowOf(original, i, rows), rowOf(converted, i, rows)];
    return Math.hypot(...a.map((x, d) => x - b[d]!)) / Math.hypot(...a);
  });
  // NaN must not pass as small.
  return each.every(Number.isFinite) ? Math.max(...each) : Infinity;
}

async function copyInFloat16(out: string, { imageSize }: Encoder): Promise<readonly Difference[]> {
  const copies = await saveFloat16Copies(out, imageSize);
  return copies.map(({ path, difference }) => ({ of: path, relative: difference, allowed: tolerance.float16 }));
}

interface WrittenFile {
  readonly path: string;
  readonly bytes: number;
}

/** Files of weights, relative to the folder. */
function filesIn(folder: string): readonly WrittenFile[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.safetensors$|\.onnx/.test(path))
    .sort()
    .map((path) => ({ path, bytes: statSync(join(folder, path)).size }));
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
