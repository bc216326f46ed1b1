import { ascentGraph, ascentSpec, misclassification, misclassified, type Pgd, runPgd } from "../attacks/index.ts";
import { balancedSubset, type ImageBatch, type ImageSource, openBatches, type SkippedImage } from "../data/index.ts";
import { formatEpsilon } from "../epsilon.ts";
import { UsageError } from "../errors.ts";
import { Graph } from "../graph/index.ts";
import type { Encoder } from "../models/encoder.ts";
import { type CompileOptions, compile, type Program } from "../runtime/index.ts";
import { type ImageClassifier, imageClassifier } from "./classes.ts";
import type { ZeroShotOptions } from "./zero-shot.ts";

export interface EvaluateOptions extends Pick<ZeroShotOptions, "cache">, CompileOptions {
  /** Prompt templates of a zero-shot classifier; see `imageClassifier`. */
  readonly templates?: readonly string[];
  /** Attacks to measure, each at its own epsilon. Default: none. */
  readonly attacks?: readonly Pgd[];
  /** Images to use, taken class by class in turn. Default: all. */
  readonly limit?: number;
  /** Images a program takes at a time. Default 64. */
  readonly batch?: number;
  readonly seed?: number;
  /** Take images as they are; those of another size than the encoder's count as unreadable. See `resizing`. */
  readonly exact?: boolean;
  readonly strict?: boolean;
  readonly onSkip?: (skip: SkippedImage) => void;
  readonly onProgress?: (progress: EvaluationProgress) => void;
}

export interface EvaluationProgress {
  /** `prompts`, `clean`, or the attack with its epsilon. */
  readonly phase: string;
  readonly done: number;
  readonly total: number;
}

export interface AttackResult {
  readonly attack: Pgd["kind"];
  readonly norm: Pgd["norm"];
  readonly epsilon: number;
  /** Share of all images, from 0 to 1, that are classified rightly clean and under the attack. */
  readonly accuracy: number;
  readonly seconds: number;
}

export interface Evaluation {
  readonly encoder: string;
  readonly dataset: string;
  readonly images: number;
  readonly classes: number;
  /** Share of images classified rightly, from 0 to 1. */
  readonly clean: number;
  readonly attacks: readonly AttackResult[];
}

/** Images are attacked in chunks of this many batches: enough to keep the batch full, few enough for any memory. */
const chunkBatches = 8;

/**
 * Accuracy of an encoder with its fixed head or its zero-shot classifier, clean and under attack. Attacks run on the images that are classified
 * rightly clean; the others count as broken. The same images, attacks and seed give the same numbers.
 *
 * @throws UsageError when the encoder has nothing to classify with, or the source no labels that fit it
 */
export async function evaluate(
  encoder: Encoder,
  source: ImageSource,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { attacks = [], limit = source.items.length, seed = 0, onSkip, strict, exact, onProgress } = options;
  const { imageSize } = encoder;
  const { classes, logits } = await imageClassifier(encoder, source, {
    ...options,
    onProgress: (done, total) => onProgress?.({ phase: "prompts", done, total }),
  });
  const order = balancedSubset(source, limit, seed);
  const batch = Math.min(options.batch ?? 64, order.length);
  const programs = await compilePrograms(logits, attacks, { ...options, batch, imageSize });

  const tallies = attacks.map(() => ({ survivors: 0, seconds: 0 }));
  let images = 0;
  let correct = 0;
  let chunk: CorrectImages = { pixels: [], labels: [], keys: [] };
  const attackChunk = async (): Promise<void> => {
    for (const [index, attack] of attacks.entries()) {
      const tally = tallies[index]!;
      const started = performance.now();
      const phase = `${attack.kind} ${formatEpsilon(attack.epsilon)}`;
      const before = images - chunk.labels.length;
      const onDone = (done: number) => onProgress?.({ phase, done: before + done, total: order.length });
      tally.survivors += await survivors(programs.ascent(attack), attack, chunk, seed, onDone);
      tally.seconds += (performance.now() - started) / 1000;
    }
    chunk = { pixels: [], labels: [], keys: [] };
  };

  const open = {
    size: imageSize,
    batch,
    order,
    ...(onSkip && { onSkip }),
    ...(strict && { strict }),
    ...(exact && { exact }),
  };
  try {
    for await (const loaded of openBatches(source, open)) {
      const kept = await keepCorrect(programs.clean, loaded, batch);
      images += loaded.count;
      correct += kept.labels.length;
      chunk = merge(chunk, kept);
      onProgress?.({ phase: "clean", done: images, total: order.length });
      if (chunk.labels.length >= chunkBatches * batch) await attackChunk();
    }
    if (chunk.labels.length > 0) await attackChunk();
  } finally {
    await programs.dispose();
  }
  if (images === 0) throw new UsageError(`${source.name}: none of the images could be read.`);
  return {
    encoder: encoder.name,
    dataset: source.name,
    images,
    classes,
    clean: correct / images,
    attacks: attacks.map(({ kind, norm, epsilon }, i) => {
      const { survivors, seconds } = tallies[i]!;
      return { attack: kind, norm, epsilon, accuracy: survivors / images, seconds };
    }),
  };
}

/** Images that are classified rightly clean. */
interface CorrectImages {
  readonly pixels: readonly Float32Array[];
  readonly labels: readonly number[];
  /** Positions in the source: what an attack's random start depends on, whatever else is evaluated. */
  readonly keys: readonly number[];
}

function merge(a: CorrectImages, b: CorrectImages): CorrectImages {
  return { pixels: [...a.pixels, ...b.pixels], labels: [...a.labels, ...b.labels], keys: [...a.keys, ...b.keys] };
}

async function compilePrograms(
  logits: ImageClassifier["logits"],
  attacks: readonly Pgd[],
  options: CompileOptions & { readonly batch: number; readonly imageSize: number },
) {
  const { batch, imageSize } = options;
  const shape = [batch, 3, imageSize, imageSize];
  const g = new Graph();
  const wrong = misclassified(logits(g.input("pixels", "float32", shape)), g.input("labels", "int64", [batch]));
  const clean = await compile({ wrong }, options);

  const key = ({ norm, momentum }: Pgd): string => `${norm} ${momentum > 0}`;
  const ascents = new Map<string, Program>();
  for (const attack of attacks) {
    if (ascents.has(key(attack))) continue;
    const graph = ascentGraph(ascentSpec(attack, batch, imageSize), misclassification(logits));
    ascents.set(key(attack), await compile(graph, options));
  }
  return {
    clean,
    ascent: (attack: Pgd): Program => ascents.get(key(attack))!,
    dispose: async () => {
      for (const program of [clean, ...ascents.values()]) await program.dispose();
    },
  };
}

async function keepCorrect(program: Program, images: ImageBatch, batch: number): Promise<CorrectImages> {
  const { pixels, labels, indices, count } = images;
  const length = pixels.length / count;
  const padded = new Float32Array(length * batch);
  padded.set(pixels);
  const wide = new BigInt64Array(batch);
  wide.set(BigInt64Array.from(labels, BigInt));
  const { wrong } = await program.run({ pixels: padded, labels: wide });
  const right = indices.map((_, i) => i).filter((i) => wrong![i] === 0);
  return {
    pixels: right.map((i) => pixels.slice(i * length, (i + 1) * length)),
    labels: right.map((i) => labels[i]!),
    keys: right.map((i) => indices[i]!),
  };
}

/** How many of the images withstand the attack. */
async function survivors(
  program: Program,
  attack: Pgd,
  images: CorrectImages,
  seed: number,
  onDone: (done: number) => void,
): Promise<number> {
  const count = images.labels.length;
  const length = images.pixels[0]!.length;
  const clean = new Float32Array(count * length);
  for (const [i, pixels] of images.pixels.entries()) clean.set(pixels, i * length);
  const rows = { labels: BigInt64Array.from(images.labels, BigInt) };
  const outcome = await runPgd(program, attack, { clean, count, keys: images.keys, rows, shared: {}, seed, onDone });
  return outcome.success.filter((broken) => !broken).length;
}
