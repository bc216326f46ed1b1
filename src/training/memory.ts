import { UsageError } from "../errors.ts";
import type { Outputs } from "../graph/index.ts";
import type { Encoder } from "../models/index.ts";
import { dualParameters, type Objective } from "../objectives/index.ts";
import { byteSize, peakBytes } from "../optimize/index.ts";
import { canHoldHeap, fitsHeap, optimized } from "../runtime/index.ts";
import { type MicroBatches, usualMicroBatches } from "./micro-batch.ts";
import { trainingGraphs } from "./training-graphs.ts";

/** Division of a batch, and whether activations are recomputed. */
export interface BatchPlan extends MicroBatches {
  /** Images a step. */
  readonly batch: number;
  /** Whether backward passes compute activations again. */
  readonly recompute: boolean;
}

/** A plan to train within a budget, and the bytes that it is expected to take. */
export interface MemoryPlan extends BatchPlan {
  readonly bytes: number;
}

/** Node.js, ONNX Runtime, this library and its graphs, image decoding in worker threads. */
const processBytes = 220 * 2 ** 20;
/** The original weights, the trained ones, AdamW's two moments. */
const weightCopies = 4;
/** Arrays as long as a batch's images: read ahead, read, and each part's clean, perturbed and passed on to the attack. */
const imageCopies = 6;
/** Ratio of ONNX Runtime's arena, or of the heap, to the bytes alive at the same time; gaps between them stay unused. */
const arenaSlack = 1.15;
const heapSlack = 1.4;

/**
 * Estimates the peak memory of a process that trains on CPU, in bytes, from the graphs' values and when each is last
 * read. docs/lab/SPEED.md compares it with measurements.
 */
export function trainingBytes(encoder: Encoder, objective: Objective, batches: BatchPlan): number {
  const { batch, microBatch, primalMicroBatch, recompute } = batches;
  const omega = objective.constraint
    ? dualParameters(objective.constraint.dual, encoder.embeddingSize, 0)
    : new Map<string, never>();
  const graphs = trainingGraphs(encoder, objective, batches, omega, { recompute, reference: "inputs" });
  const weights = [...encoder.parameters.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  const { reference, ascent, int8Weights, lastLook, distance, primal } = graphs;
  const others = [reference, ascent, int8Weights, lastLook, distance];
  const programs = [...others.map((outputs) => memoryOf(outputs, true)), memoryOf(primal, false)];
  const kept = programs.reduce((sum, { arena }) => sum + arena, 0);
  // Programs that share the heap run one at a time and leave only their results: the last leaves the gradient and its copy.
  const shared = Math.max(...programs.map(({ heap }) => heap), 2 * weights);
  const int8Bytes = Object.values(int8Weights ?? {}).reduce((sum, value) => sum + byteSize(value), 0);
  const sumOfParts = batch > primalMicroBatch ? weights : 0;
  return (
    processBytes +
    weightCopies * weights +
    int8Bytes +
    imageCopies * 4 * Math.ceil(batch / microBatch) * microBatch * 3 * encoder.imageSize ** 2 +
    sumOfParts +
    arenaSlack * kept +
    heapSlack * shared
  );
}

/** Bytes that a run of a program takes, of its own memory or of the shared heap. */
function memoryOf(
  outputs: Outputs | undefined,
  preallocated: boolean,
): { readonly arena: number; readonly heap: number } {
  if (!outputs) return { arena: 0, heap: 0 };
  const compiled = Object.values(optimized(outputs, { device: "cpu" }));
  const bytes = peakBytes(compiled, preallocated);
  return canHoldHeap && fitsHeap(compiled) ? { arena: 0, heap: bytes } : { arena: bytes, heap: 0 };
}

/**
 * Chooses micro-batches with which training fits in `memory` bytes: the default ones, or the largest below them. The
 * batch is split into as few parts of about equal size as possible. The optimiser's steps, which take most memory, get
 * smaller ones first. Activations are recomputed if requested, or if otherwise not even a single image fits.
 *
 * @throws UsageError when nothing fits, saying how much is needed
 */
export function planMemory(
  encoder: Encoder,
  objective: Objective,
  { batch, memory, recompute }: { readonly batch: number; readonly memory: number; readonly recompute: boolean },
): MemoryPlan {
  const plan = (microBatch: number, primalMicroBatch: number, again: boolean): MemoryPlan => {
    const batches = { batch, microBatch, primalMicroBatch, recompute: again };
    return { ...batches, bytes: trainingBytes(encoder, objective, batches) };
  };
  const fits = ({ bytes }: MemoryPlan): boolean => bytes <= memory;
  const smallest = recompute || !fits(plan(1, 1, false)) ? plan(1, 1, true) : plan(1, 1, false);
  if (!fits(smallest)) {
    throw new UsageError(
      `${formatBytes(memory)} of memory are too little: with one image at a time and activations computed again, training ${encoder.name} takes ${formatBytes(smallest.bytes)}.`,
    );
  }
  const again = smallest.recompute;
  const usual = usualMicroBatches(encoder, objective, batch);
  const sizes = [...new Set(Array.from({ length: batch }, (_, i) => Math.ceil(batch / (i + 1))))].reverse();
  const upTo = (max: number, min = 1): readonly number[] => sizes.filter((size) => size >= min && size <= max);
  const both = largestThat(fits, upTo(usual.primalMicroBatch), (size) => plan(size, size, again)) ?? smallest;
  const larger = upTo(usual.microBatch, both.microBatch + 1);
  return largestThat(fits, larger, (size) => plan(size, both.primalMicroBatch, again)) ?? both;
}

/** The plan of the largest size that fits. Tries the last first, which usually fits, then bisects. */
function largestThat(
  fits: (plan: MemoryPlan) => boolean,
  sizes: readonly number[],
  plan: (size: number) => MemoryPlan,
): MemoryPlan | undefined {
  if (sizes.length === 0) return undefined;
  const last = plan(sizes.at(-1)!);
  return fits(last) ? last : halved(fits, sizes.slice(0, -1), plan);
}

/** The plan of the last size that fits, where all sizes before fit, too. */
function halved(
  fits: (plan: MemoryPlan) => boolean,
  sizes: readonly number[],
  plan: (size: number) => MemoryPlan,
): MemoryPlan | undefined {
  if (sizes.length === 0) return undefined;
  const middle = Math.floor(sizes.length / 2);
  const found = plan(sizes[middle]!);
  if (!fits(found)) return halved(fits, sizes.slice(0, middle), plan);
  return halved(fits, sizes.slice(middle + 1), plan) ?? found;
}

/** Formats bytes as `2.31 GiB` or `512 MiB`; rounded up, so that this much is enough. */
export function formatBytes(bytes: number): string {
  const [unit, size] = bytes >= 2 ** 30 ? ["GiB", 2 ** 30] : ["MiB", 2 ** 20];
  const digits = unit === "GiB" ? 100 : 1;
  return `${Math.ceil((digits * bytes) / size) / digits} ${unit}`;
}
