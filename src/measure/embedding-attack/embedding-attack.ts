import {
  attackName,
  type EmbeddingAttack,
  embeddingDistance,
  isEmbeddingAttack,
  lossGraph,
  maxPoints,
  planOf,
  runSearches,
} from "../../attacks/index.ts";
import { UsageError } from "../../errors.ts";
import { compileEmbedder, countImages, frozenEmbedding, rowOf, usualBatch } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import { checkNonZero } from "../../models/index.ts";
import { type CompileOptions, compile, ProgramLadder } from "../../runtime/index.ts";

/** The direction in which an attack drives an image's embedding. */
export type EmbeddingGoal =
  /**
   * Away from one embedding per image [count, D], for example another encoder's. Default: the image's own clean embedding,
   * so that no label, text or other image is needed.
   */
  | { readonly kind: "away"; readonly reference?: Float32Array }
  /** Towards an embedding, of another image or of a text: [D] for all images, or one row an image [count, D]. */
  | { readonly kind: "towards"; readonly reference: Float32Array };

export interface EmbeddingAttackOptions extends CompileOptions {
  /** For example `apgd({ epsilon: 2 / 255, loss: "embedding-l2" })`; both goals use its loss as the distance. */
  readonly attack: EmbeddingAttack;
  readonly goal: EmbeddingGoal;
  readonly seed?: number;
  /** Images a program takes at a time. Default 16. */
  readonly batch?: number;
  /** Round perturbed images to the 256 levels of an image file as they are searched for. */
  readonly quantize?: boolean;
  /** An image's name in messages. Default: `image 0` ... */
  readonly nameOf?: (image: number) => string;
  /** Called with the numbers of points evaluated so far and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Closeness of two embeddings. */
export interface Nearness {
  /** |a - b|^2 */
  readonly squaredDistance: number;
  /** -1 ... 1; 0 where one of them is zero. */
  readonly cosine: number;
}

/** Movement of one image's embedding under an attack. */
export interface MovedEmbedding {
  /** The perturbed image against the clean one. */
  readonly toClean: Nearness;
  /** The clean and the perturbed image against the reference, where the goal has one. */
  readonly toReference?: { readonly before: Nearness; readonly after: Nearness };
}

export interface EmbeddingAttackResult {
  /** [count, 3, S, S] in [0, 1] */
  readonly perturbed: Float32Array;
  /** One an image. */
  readonly images: readonly MovedEmbedding[];
}

/**
 * Attacks embeddings, without labels: moves an image's embedding away from where it lies, or towards another embedding.
 * An image's random numbers depend on the seed and its position.
 *
 * @param pixels [count, 3, S, S] in [0, 1], S the encoder's image size
 * @throws UsageError when the attack's loss needs labels, or its start is the clean image, where the distance to leave
 *   has no gradient; when pixels or reference do not fit the encoder; when an embedding is not finite, or a clean one or
 *   the reference is zero, which has no cosine
 *
 * @example
 * ```ts
 * import { attackEmbeddings, imageFolder, loadEncoder } from "lore-vision";
 * import { apgd } from "lore-vision/attacks";
 * import { openBatches } from "lore-vision/data";
 *
 * const encoder = await loadEncoder("openai/clip-vit-base-patch32");
 * const attack = apgd({ epsilon: 2 / 255, steps: 20, loss: "embedding-cosine" });
 * const batches = openBatches(imageFolder("photos"), { framing: encoder.framing, batch: 4, order: [0, 1, 2, 3] });
 * for await (const { ids, pixels } of batches) {
 *   const { images, perturbed } = await attackEmbeddings(encoder, pixels, { attack, goal: { kind: "away" } });
 *   console.log(ids, images.map(({ toClean }) => toClean.cosine), perturbed.length);
 * }
 * ```
 */
export async function attackEmbeddings(
  encoder: Encoder,
  pixels: Float32Array,
  options: EmbeddingAttackOptions,
): Promise<EmbeddingAttackResult> {
  const { imageSize } = encoder;
  const { attack, goal, seed = 0, quantize = false, onProgress, nameOf } = options;
  checkAttack(attack, goal);
  const count = countImages(encoder, pixels);
  const targets = goal.reference && referenceRows(goal.reference, encoder, count);
  if (count === 0) return { perturbed: new Float32Array(0), images: [] };

  const batch = Math.min(options.batch ?? usualBatch, count);
  const forward = await compileEmbedder(encoder, count, { ...options, batch });
  const of = { encoder: encoder.name, what: "embedding", nameOf };
  const target = embeddingDistance(frozenEmbedding(encoder), attack.loss, goal.kind);
  const programs = new ProgramLadder(
    (size) => compile(lossGraph({ batch: size, imageSize, gradient: true }, target), options),
    batch,
  );
  try {
    const { embeddings: clean } = await forward.run(pixels, nameOf);
    checkNonZero(clean, count, of);
    if (targets) checkNonZero(targets, count, { ...of, what: "reference" });
    const keys = Array.from({ length: count }, (_, i) => i);
    // No distance counts as a success that would end a run early.
    const total = count * maxPoints(attack, 1);
    let done = 0;
    const { adversarial } = await runSearches(
      programs,
      planOf(attack, { clean: pixels, count, keys, seed, quantize }),
      {
        clean: pixels,
        count,
        rows: { reference: targets ?? clean },
        nameOf: (i) => `${encoder.name} at ${nameOf?.(i) ?? `image ${i}`}`,
        onLook: (points) => {
          done += points;
          onProgress?.(done, total);
        },
      },
    );
    const { embeddings: moved } = await forward.run(adversarial, nameOf && ((i) => `${nameOf(i)}, perturbed`));
    const images = keys.map((i) => {
      const [before, after] = [rowOf(clean, i, count), rowOf(moved, i, count)];
      const toClean = nearness(after, before);
      if (!targets) return { toClean };
      const reference = rowOf(targets, i, count);
      return { toClean, toReference: { before: nearness(before, reference), after: nearness(after, reference) } };
    });
    return { perturbed: adversarial, images };
  } finally {
    await forward.dispose();
    await programs.dispose();
  }
}

/** Checks the attack for untyped callers, and its start, which depends on the goal. */
function checkAttack(attack: EmbeddingAttack, { kind }: EmbeddingGoal): void {
  if (!isEmbeddingAttack(attack))
    throw new UsageError(
      `${attackName(attack)} needs labels; attack embeddings with pgd or apgd and the loss embedding-l2 or embedding-cosine.`,
    );
  if (kind === "away" && "start" in attack && attack.start === "zero") {
    throw new UsageError(
      "PGD away from the clean embedding cannot start at the clean image: the distance has no gradient there. Use a uniform start.",
    );
  }
}

/** One row an image. */
function referenceRows(reference: Float32Array, { name, embeddingSize }: Encoder, count: number): Float32Array {
  const { length } = reference;
  if (length !== embeddingSize && length !== count * embeddingSize) {
    throw new UsageError(
      `The reference has ${length} values; ${name} needs ${embeddingSize}, or ${count} x ${embeddingSize} for one an image.`,
    );
  }
  if (!reference.every(Number.isFinite))
    throw new UsageError("The reference holds values that are not finite numbers.");
  return Float32Array.from({ length: count * embeddingSize }, (_, i) => reference[i % length]!);
}

function nearness(a: Float32Array, b: Float32Array): Nearness {
  let [squaredDistance, product, lengthA, lengthB] = [0, 0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    squaredDistance += (x - y) ** 2;
    product += x * y;
    lengthA += x * x;
    lengthB += y * y;
  }
  const lengths = Math.sqrt(lengthA * lengthB);
  return { squaredDistance, cosine: lengths === 0 ? 0 : product / lengths };
}
