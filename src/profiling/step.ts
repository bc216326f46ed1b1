import type { FixedSteps } from "../attacks/index.ts";
import { defined } from "../defined.ts";
import type { Outputs, Value } from "../graph/index.ts";
import { productFlops, productsOf } from "../graph/index.ts";
import { cloneParameters, type Encoder, feedsOf } from "../models/index.ts";
import { dualParameters, fare, gradientName, lore, type Objective } from "../objectives/index.ts";
import { optimizedProgram } from "../optimize/index.ts";
import { randomStream } from "../random.ts";
import { type CompileOptions, compile, discard, HeldHeap, peakMemoryBytes, takingTurns } from "../runtime/index.ts";
import { allocate, elementCount } from "../tensor/index.ts";
import {
  AdamW,
  chosenMicroBatches,
  type MicroBatches,
  microBatchOf,
  runsPerBatch,
  type TrainingGraphs,
  TrainingStep,
  trainingGraphs,
} from "../training/index.ts";
import type { BenchModel, BenchModelName } from "./architectures.ts";
import { countProducts, gemmRate, type ProductCount, totalFlops } from "./gemm.ts";
import { benchEncoder } from "./models.ts";
import { noise } from "./noise.ts";
import { type Spread, secondsOf } from "./timing.ts";
import { nodeBytes, optimizerBytes, productBytes } from "./traffic.ts";

export interface BenchOptions extends CompileOptions {
  readonly model: BenchModelName | BenchModel;
  /** Images a step. */
  readonly batch: number;
  readonly imageSize?: number;
  readonly method: "lore" | "fare";
  /** K. Default: the method's own. */
  readonly stepsPerBatch?: number;
  /** Precision of the attack's products by weights; the rate that they are held against stays that of float32. Default "float32". */
  readonly attackPrecision?: FixedSteps["precision"];
  /** Images that go through the encoder at a time. Default: as `finetune` chooses. */
  readonly microBatch?: number;
  /** Compute activations again in backward passes; the operations counted stay those of a step that keeps them. */
  readonly recompute?: boolean;
  /** Original embeddings come from the cache, as in every epoch after the first; default false. */
  readonly cachedOriginal?: boolean;
  /** Counted steps, after one to warm up. */
  readonly repeats: number;
  readonly seed: number;
  /** Also time the phases of a step one by one. */
  readonly phases?: boolean;
  readonly onProgress?: (what: string, done: number, total: number) => void;
}

/** One phase of a step, over the whole batch. */
export interface PhaseTime {
  readonly phase: "reference" | "int8Weights" | "ascent" | "primal";
  /** Runs per step. */
  readonly runs: number;
  readonly seconds: Spread;
  /** Operations of its matrix products. */
  readonly flops: number;
}

/** Bytes that a step moves between processor and memory, if caches keep nothing from one operator to the next. */
export interface Traffic {
  /** With everything else fused into the products: their operands and results, and the optimiser's pass. */
  readonly products: number;
  /** With nothing fused: every node's operands and results, and the optimiser's pass. */
  readonly nodes: number;
}

export interface BenchResult {
  readonly imageSize: number;
  readonly stepsPerBatch: number;
  readonly seconds: Spread;
  /** Operations of a step's matrix products. */
  readonly flops: number;
  readonly traffic: Traffic;
  /** Rate of ONNX Runtime's MatMul at the step's own shapes, in operations a second. */
  readonly gemmRate: number;
  /** Largest resident memory of the process up to the end of the last step. */
  readonly peakMemoryBytes: number;
  /** Pages of memory that a counted step takes from the system, on average. */
  readonly pageFaults: number;
  readonly phases: readonly PhaseTime[];
}

const epsilon = 2 / 255;
const learningRate = 1e-5;
const weightDecay = 1e-4;

/** Times training steps on random images: `TrainingStep.run` on one batch. */
export async function bench(options: BenchOptions): Promise<BenchResult> {
  const { model, imageSize, method, stepsPerBatch, attackPrecision, repeats, seed, onProgress = () => {} } = options;
  const common = {
    epsilon,
    ...defined({ stepsPerBatch }),
    ...(attackPrecision !== undefined && { attack: { precision: attackPrecision } }),
  };
  const objective = method === "lore" ? lore(common) : fare(common);
  const encoder = benchEncoder(model, seed, imageSize);
  const sizes = chosenMicroBatches(encoder, objective, options);
  const work = new Work(encoder, objective, sizes, options);
  let steps = 0;
  const { seconds, pageFaults } = await timeSteps(encoder, objective, { ...options, ...sizes }, () =>
    onProgress("steps", ++steps, repeats + 1),
  );
  const peakMemory = peakMemoryBytes();
  const products = work.products();
  const rate = await gemmRate(products, options, (done, total) => onProgress("product shapes", done, total));
  const phases = options.phases ? await work.phases(repeats, (done, total) => onProgress("phases", done, total)) : [];
  return {
    imageSize: encoder.imageSize,
    stepsPerBatch: objective.stepsPerBatch,
    seconds,
    flops: totalFlops(products),
    traffic: work.traffic(products),
    gemmRate: rate,
    peakMemoryBytes: peakMemory,
    pageFaults,
    phases,
  };
}

async function timeSteps(
  encoder: Encoder,
  objective: Objective,
  options: BenchOptions & MicroBatches,
  onStep: () => void,
): Promise<{ readonly seconds: Spread; readonly pageFaults: number }> {
  const { batch, repeats, seed, cachedOriginal = false } = options;
  const images = Array.from({ length: batch }, (_, i) => i);
  // The warm-up step fills the cache.
  const cache = cachedOriginal && { images, referenceCache: {} };
  const step = await TrainingStep.create(encoder, objective, { ...options, weightDecay, ...cache });
  const pixels = noise(batch * 3 * encoder.imageSize ** 2, randomStream(seed, "pixels").uniform);
  let key = 0;
  const faults: number[] = [];
  const seconds = await secondsOf(async () => {
    await step.run(pixels, [seed, "attack", key++], () => learningRate, undefined, images);
    faults.push(process.resourceUsage().minorPageFault);
    onStep();
  }, repeats);
  await step.dispose();
  return { seconds, pageFaults: (faults.at(-1)! - faults[0]!) / repeats };
}

/** A step as graphs: its products, and its phases one by one. */
class Work {
  readonly #encoder: Encoder;
  readonly #graphs: TrainingGraphs;
  readonly #runs: Readonly<Record<keyof TrainingGraphs, number>>;
  /** Parts of a batch, by the graph that they run through. */
  readonly #parts: (name: keyof TrainingGraphs) => number;
  readonly #options: CompileOptions;

  constructor(encoder: Encoder, objective: Objective, sizes: MicroBatches, options: BenchOptions) {
    const dual = objective.constraint?.dual;
    const omega = dual ? dualParameters(dual, encoder.embeddingSize, 0) : new Map();
    this.#encoder = encoder;
    this.#graphs = trainingGraphs(encoder, objective, sizes, omega);
    this.#runs = { ...runsPerBatch(objective), ...(options.cachedOriginal && { reference: 0 }) };
    this.#parts = (name) => (name === "int8Weights" ? 1 : Math.ceil(options.batch / microBatchOf(name, sizes)));
    this.#options = options;
  }

  /** Every product of a step as it reads its operands, with how often it occurs. */
  products(): readonly ProductCount[] {
    return countProducts(
      this.#each((outputs, runs) =>
        productsOf(optimizedProgram(outputs, this.#options, ["transposedOperands"])).map((product) => ({
          product,
          count: runs,
        })),
      ),
    );
  }

  traffic(products: readonly ProductCount[]): Traffic {
    const optimizer = this.#runs.primal * optimizerBytes(this.#encoder.parameters);
    const nodes = this.#each((outputs, runs) => [runs * nodeBytes(outputs)]).reduce((sum, bytes) => sum + bytes, 0);
    return { products: productBytes(products) + optimizer, nodes: nodes + optimizer };
  }

  /** Results of `of` for every graph, given how often a step runs it. */
  #each<T>(of: (outputs: readonly Value[], runs: number) => readonly T[]): readonly T[] {
    const names = Object.keys(this.#runs) as readonly (keyof TrainingGraphs)[];
    return names.flatMap((name) => of(Object.values(this.#graphs[name] ?? {}), this.#parts(name) * this.#runs[name]));
  }

  async phases(repeats: number, onProgress: (done: number, total: number) => void): Promise<readonly PhaseTime[]> {
    const names = (["reference", "int8Weights", "ascent", "primal"] as const).filter((name) => this.#graphs[name]);
    const times: PhaseTime[] = [];
    for (const phase of names) {
      const outputs = this.#graphs[phase]!;
      const parts = this.#parts(phase);
      const { median, min, max } = await this.#programSeconds(outputs, repeats);
      const scaled = { median: parts * median, min: parts * min, max: parts * max };
      const work = productFlops(Object.values(outputs));
      times.push({ phase, runs: this.#runs[phase], seconds: scaled, flops: parts * work });
      onProgress(times.length, names.length);
    }
    return times;
  }

  /** One run, as in training; where the outputs have gradients, followed by an optimiser step. */
  async #programSeconds(outputs: Outputs, repeats: number): Promise<Spread> {
    const options = takingTurns(this.#options);
    const program = await compile(outputs, options);
    const heap = options.releaseMemory ? await HeldHeap.open() : undefined;
    const parameters = cloneParameters(this.#encoder.parameters);
    const weights = feedsOf(parameters);
    const { uniform } = randomStream("phases");
    const others = Object.fromEntries(
      program.inputs
        .filter(({ name }) => !(name in weights))
        // Bytes take the same time whatever they are.
        .map(({ name, dtype, shape }) => [
          name,
          dtype === "float32" ? noise(elementCount(shape), uniform) : allocate(dtype, shape),
        ]),
    );
    const trains = [...parameters.keys()].every((name) => gradientName(name) in outputs);
    const optimizer = trains ? new AdamW(parameters, { weightDecay }) : undefined;
    const seconds = await secondsOf(async () => {
      const feeds = { ...weights, ...others };
      if (optimizer) {
        const result = await program.runFresh(feeds);
        optimizer.step(parameters, (name) => result[gradientName(name)] as Float32Array, learningRate);
        discard(Object.values(result));
      } else await program.run(feeds);
      heap?.hold();
    }, repeats);
    await program.dispose();
    heap?.release();
    return seconds;
  }
}
