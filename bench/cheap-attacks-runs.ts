import { InvalidArgumentError } from "commander";
import { type InnerAttackOptions, pgd } from "../src/attacks/index.ts";
import { openSource } from "../src/data/index.ts";
import { evaluate } from "../src/evaluation/index.ts";
import { productFlops } from "../src/graph/flops.ts";
import { type Encoder, loadEncoder } from "../src/models/index.ts";
import { type Dual, dualParameters, lore, type Objective } from "../src/objectives/index.ts";
import { finetune } from "../src/training/index.ts";
import { sameMicroBatches } from "../src/training/micro-batch.ts";
import { runsPerBatch, trainingGraphs } from "../src/training/training-graphs.ts";

/** Ways to make the inner attack cheaper, as changes to its settings. */
const kinds = {
  /** Fixed steps from a random start. */
  pgd: {},
  apgd: { schedule: "apgd" },
  warm: { start: "previous" },
  low: { lowResolution: 0.5 },
  int8: { precision: "int8" },
} as const satisfies Readonly<Record<string, Omit<InnerAttackOptions, "epsilon">>>;

export interface Variant {
  readonly kind: keyof typeof kinds;
  readonly steps: number;
  /** As a share of epsilon; the default's is 0.25. */
  readonly stepSize?: number;
}

export const defaultVariants = [
  "pgd:10",
  "pgd:5",
  "pgd:3",
  "pgd:2",
  "pgd:3:0.67",
  "pgd:2:1",
  "apgd:10",
  "apgd:5",
  "apgd:3",
  "warm:5",
  "warm:3",
  "warm:2",
  "low:10",
  "low:5",
  "int8:10",
] as const;

/** Reads `KIND:STEPS` or `KIND:STEPS:STEP`, the step as a share of epsilon. */
export function parseVariant(text: string): Variant {
  const [, kind = "", steps, stepSize] = /^([a-z0-9]+):([1-9]\d*)(?::(\d+(?:\.\d+)?))?$/.exec(text) ?? [];
  if (!Object.hasOwn(kinds, kind)) {
    throw new InvalidArgumentError(
      `Write KIND:STEPS[:SHARE OF EPSILON], with a kind of ${Object.keys(kinds).join(", ")}.`,
    );
  }
  return {
    kind: kind as Variant["kind"],
    steps: Number(steps),
    ...(stepSize !== undefined && { stepSize: Number(stepSize) }),
  };
}

export function variantName({ kind, steps, stepSize }: Variant): string {
  return [kind, steps, ...(stepSize === undefined ? [] : [stepSize])].join(":");
}

export interface RunSettings {
  /** DeiT-Tiny's weights. */
  readonly encoder: string;
  /** A folder of train/ and val/. */
  readonly data: string;
  readonly images: number;
  readonly testImages: number;
  readonly epochs: number;
  readonly stepsPerBatch: number;
  readonly threads: number;
}

export interface RunResult {
  readonly variant: Variant;
  readonly seed: number;
  readonly settings: RunSettings;
  /** Forward and backward passes of the attack an image, at full size; at low resolution; forward passes alone. */
  readonly passes: { readonly full: number; readonly low: number; readonly forward: number };
  /** Of the attack, and of the whole step: operations of the matrix products an image. */
  readonly attackFlops: number;
  readonly stepFlops: number;
  readonly clean: number;
  /** Accuracy under PGD-20 at each of `testEpsilons`. */
  readonly robust: readonly number[];
  readonly trainingSeconds: number;
}

const imageSize = 112;
const batch = 16;
const epsilon = 2 / 255;
export const testEpsilons = [1 / 255, 2 / 255] as const;

/** As `--preset small`, but for lambda, which starts high enough to hold the clean embedding in a run this short. */
const margin = { kind: "relative", rho: 0.4, exponent: 2 } as const;
const dual: Dual = { kind: "network", hidden: 512, initial: 2, learningRate: 5e-4 };

/** Fine-tunes by LORE with the attack, then measures. */
export async function measureVariant(variant: Variant, seed: number, settings: RunSettings): Promise<RunResult> {
  const { threads, images, testImages, epochs, stepsPerBatch } = settings;
  const encoder = await loadEncoder(settings.encoder, { imageSize });
  const { kind, steps, stepSize } = variant;
  const attack = { ...kinds[kind], steps, ...(stepSize !== undefined && { stepSize: stepSize * epsilon }) };
  const objective = lore({ epsilon, stepsPerBatch, attack, margin, dual });
  const started = performance.now();
  const { encoder: trained } = await finetune(
    encoder,
    await openSource(`${settings.data}/train`, { seed }),
    objective,
    {
      threads,
      seed,
      epochs,
      batch,
      limit: images,
      learningRate: 1e-4,
    },
  );
  const trainingSeconds = (performance.now() - started) / 1000;
  const { clean, attacks } = await evaluate(trained, await openSource(`${settings.data}/val`, { seed: 0 }), {
    threads,
    seed: 0,
    limit: testImages,
    attacks: testEpsilons.map((size) => pgd({ epsilon: size })),
  });
  const runs = runsPerBatch(objective);
  return {
    variant,
    seed,
    settings,
    passes: { full: runs.ascent, low: runs.lowResolutionAscent, forward: runs.lastLook },
    ...work(encoder, objective),
    clean,
    robust: attacks.map(({ accuracy }) => accuracy),
    trainingSeconds,
  };
}

function work(encoder: Encoder, objective: Objective): Pick<RunResult, "attackFlops" | "stepFlops"> {
  const omega = dualParameters(dual, encoder.embeddingSize, 0);
  const graphs = trainingGraphs(encoder, objective, sameMicroBatches(batch), omega);
  const runs = runsPerBatch(objective);
  const flopsOf = (phases: readonly (keyof typeof runs)[]): number =>
    phases.reduce((sum, phase) => sum + (runs[phase] * productFlops(Object.values(graphs[phase] ?? {}))) / batch, 0);
  return {
    attackFlops: flopsOf(["ascent", "lowResolutionAscent", "lastLook"]),
    stepFlops: flopsOf(Object.keys(runs) as readonly (keyof typeof runs)[]),
  };
}
