import { gradients } from "../../autodiff/index.ts";
import { Graph, type Value } from "../../graph/index.ts";
import { checkFinite } from "../../models/index.ts";
import { randomStream } from "../../random.ts";
import { type CompileOptions, compile } from "../../runtime/index.ts";
import type { Similarity } from "./similarity.ts";

export interface SynthesisOptions extends CompileOptions {
  /** The encoder's name, for messages. */
  readonly encoder?: string;
  /** [count, 3, S, S] in [0, 1] to start from. Default: grey, with Gaussian noise of deviation 0.02. */
  readonly start?: Float32Array;
  /** Default 200. */
  readonly steps?: number;
  /** l2 length of a step, pixel units. Default: a two-hundredth of the image's side, 0.16 at 32 pixels. */
  readonly stepSize?: number;
  /**
   * Weight of the total variation, the mean |difference| of neighbouring pixels, that is subtracted from the similarity.
   * 0 for none. Default 2 for cosines, 40 for logits: about the same share of the range of each.
   */
  readonly smoothness?: number;
  readonly seed?: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface SynthesizedImages {
  /** [count, 3, S, S] in [0, 1] */
  readonly pixels: Float32Array;
  /** Similarity of each image to its target: one array per step, and one for the final images. */
  readonly similarities: readonly Float32Array[];
}

const usualSmoothness = { cosine: 2, logit: 40 } as const;

/**
 * Synthesises one image for each text or class of a similarity by projected gradient ascent: steps of fixed l2 length
 * along the gradient, clipped to [0, 1]. An encoder with perceptually aligned gradients makes recognisable images
 * (Santurkar et al. 2019, "Image Synthesis with a Single (Robust) Classifier").
 *
 * @throws UsageError when a similarity or its gradient is not finite
 */
export async function synthesize(
  imageSize: number,
  similarity: Similarity,
  options: SynthesisOptions = {},
): Promise<SynthesizedImages> {
  const { steps = 200, stepSize = imageSize / 200, seed = 0, signal, onProgress } = options;
  const { count, kind } = similarity;
  const { smoothness = usualSmoothness[kind] } = options;
  const pixels = options.start?.slice() ?? greyStart(count, imageSize, seed);
  const program = await compile(stepGraph(imageSize, similarity, stepSize, smoothness), options);
  const similarities: Float32Array[] = [];
  try {
    for (let step = 0; step <= steps; step++) {
      signal?.throwIfAborted();
      const { next, reached } = await program.run({ pixels });
      const of = { encoder: options.encoder ?? "The encoder", nameOf: (i: number) => `image ${i}, step ${step}` };
      checkFinite(reached as Float32Array, count, { ...of, what: "similarity" });
      checkFinite(next as Float32Array, count, { ...of, what: "gradient" });
      similarities.push((reached as Float32Array).slice());
      if (step < steps) pixels.set(next as Float32Array);
      onProgress?.(step, steps);
    }
  } finally {
    await program.dispose();
  }
  return { pixels, similarities };
}

function greyStart(count: number, size: number, seed: number): Float32Array {
  const length = 3 * size ** 2;
  // The same noise for all, so that images differ only by their targets.
  const random = randomStream("synthesis", seed);
  const one = new Float32Array(length).map(() => Math.min(Math.max(0.5 + 0.02 * random.normal(), 0), 1));
  return new Float32Array(count * length).map((_, i) => one[i % length]!);
}

/** Graph of one step, from images to the next ones; `reached` is each image's similarity to its target, [count]. */
function stepGraph(size: number, { count, values }: Similarity, stepSize: number, smoothness: number) {
  const g = new Graph();
  const pixels = g.input("pixels", "float32", [count, 3, size, size]);
  const own = new Float32Array(count * count).map((_, i) => (i % (count + 1) === 0 ? 1 : 0));
  const choice = g.constant({ dtype: "float32", shape: [count, count], data: own });
  const reached = g.reduceSum(g.mul(values(pixels), choice), { axes: [1] });
  const goal = smoothness > 0 ? g.sub(reached, g.mul(totalVariation(pixels), smoothness)) : reached;
  const [gradient] = gradients(g.reduceSum(goal), [pixels]);
  const length = g.reduceL2(gradient, { axes: [1, 2, 3], keepDims: true });
  const step = g.div(g.mul(gradient, stepSize), g.max(length, 1e-20));
  return { next: g.clip(g.add(pixels, step), 0, 1), reached };
}

/** Mean |difference| of pixels beside and below each other, [N]. */
function totalVariation(pixels: Value): Value {
  const { graph: g } = pixels;
  const [side] = pixels.shape.slice(-1) as [number];
  const differences = [2, 3].map((axis) => {
    const part = (start: number): Value => g.slice(pixels, { axes: [axis], starts: [start], ends: [start + side - 1] });
    return g.reduceMean(g.abs(g.sub(part(1), part(0))), { axes: [1, 2, 3] });
  });
  return g.add(differences[0]!, differences[1]!);
}
