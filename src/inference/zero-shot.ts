import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Telling } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { readBytes, writeAtomically } from "../files.ts";
import type { CosineClassifier, EmbedTextOptions, Encoder, TextTower } from "../models/index.ts";
import { checkFinite, checkNonZero } from "../models/index.ts";
import { decodeSafetensors, encodeSafetensors } from "../safetensors.ts";
import { tellCutTexts } from "./class-faults.ts";
import { fillTemplates, place } from "./templates.ts";

export interface ZeroShotOptions extends EmbedTextOptions, Telling {
  /** Folder that keeps class embeddings from one run to the next. Default: `lore-vision/zero-shot` in the user's cache. */
  readonly cache?: string;
}

/**
 * CLIP's zero-shot classifier (Radford et al. 2021; CLIP_benchmark's protocol). A class's embedding is the normalised
 * mean of its prompts' normalised embeddings. It is cached on disk under a name that changes with the text tower, the
 * tokeniser, the class names and the templates. Warns of truncated texts.
 *
 * @param classNames one a class, in the order of the labels
 * @param templates with `{}` for the class's name
 * @returns one row a class; the scale is the text tower's
 * @throws UsageError when the encoder has no text tower, or there are no classes or templates; when an embedding is not
 *   finite, or zero
 */
export async function zeroShotClassifier(
  encoder: Encoder,
  classNames: readonly string[],
  templates: readonly string[],
  options: ZeroShotOptions = {},
): Promise<CosineClassifier> {
  const { text, name } = encoder;
  if (!text) {
    throw new UsageError(
      `${name} has no text tower: zero-shot classification needs a CLIP with its text weights and tokeniser.`,
    );
  }
  if (classNames.length === 0 || templates.length === 0)
    throw new UsageError("Zero-shot classification needs at least one class and one template.");
  const without = templates.find((template) => !template.includes(place));
  if (without !== undefined)
    throw new UsageError(`The template "${without}" has no ${place} for the class's name: all classes would be one.`);
  const prompts = classNames.flatMap((className) => fillTemplates(templates, className));
  tellCutTexts(name, text, prompts, options);
  const file = join(options.cache ?? defaultCache(), `${cacheKey(text, classNames, templates)}.safetensors`);
  const shape = [classNames.length, text.embeddingSize];
  const cached = readCached(file, shape);
  const data = cached ?? (await classEmbeddings(encoder.name, text, prompts, classNames.length, options));
  const weight = { dtype: "float32", shape, data } as const;
  if (!cached) keep(file, encodeSafetensors(new Map([["classes", weight]])));
  return { kind: "cosine", weight, scale: text.logitScale };
}

/** @param prompts as many of each class, class after class */
async function classEmbeddings(
  encoder: string,
  text: TextTower,
  prompts: readonly string[],
  count: number,
  options: EmbedTextOptions,
): Promise<Float32Array> {
  const size = text.embeddingSize;
  const embeddings = await text.embed(prompts, options);
  const of = { encoder, what: "embedding", nameOf: (i: number) => `the text "${prompts[i]}"` };
  checkFinite(embeddings, prompts.length, of);
  checkNonZero(embeddings, prompts.length, of);
  const classes = new Float32Array(count * size);
  for (let i = 0; i < prompts.length; i++) {
    const prompt = unit(embeddings.subarray(i * size, (i + 1) * size));
    const start = Math.floor((i * count) / prompts.length) * size;
    for (let d = 0; d < size; d++) classes[start + d]! += prompt[d]!;
  }
  for (let start = 0; start < classes.length; start += size) {
    classes.set(unit(classes.subarray(start, start + size)), start);
  }
  return classes;
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((x) => x / length);
}

function cacheKey(text: TextTower, classNames: readonly string[], templates: readonly string[]): string {
  const hash = createHash("sha256").update(text.digest);
  hash.update(JSON.stringify([[...text.tokenizer.files], text.contextLength, classNames, templates]));
  return hash.digest("hex");
}

function defaultCache(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "lore-vision", "zero-shot");
}

/** Undefined for a damaged file too, which is then written anew. */
function readCached(file: string, shape: readonly number[]): Float32Array | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const found = decodeSafetensors(readBytes(file)).tensors.get("classes");
    const fits = found?.dtype === "float32" && found.shape.join() === shape.join();
    return fits && (found.data as Float32Array).every(Number.isFinite) ? (found.data as Float32Array) : undefined;
  } catch {
    return undefined;
  }
}

/** Writes the file. A cache that cannot be written only costs time. */
function keep(file: string, bytes: Uint8Array): void {
  try {
    writeAtomically(file, bytes);
  } catch {}
}
