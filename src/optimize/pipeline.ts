import type { Outputs, Value } from "../graph/index.ts";
import { withClippedSigns } from "./clipped-signs.ts";
import { withFewQueries } from "./few-queries.ts";
import { withFusedNorms } from "./fused-norms.ts";
import { withHalfProducts } from "./half-products.ts";
import { type Int8Products, withInt8Products } from "./int8-products.ts";
import { withParallelKernels } from "./parallel-kernels.ts";
import { recomputed } from "./recompute/segmentwise.ts";
import { selectivelyRecomputed } from "./recompute/selective.ts";
import { withScaledProducts } from "./scaled-products.ts";
import { withSharedErf } from "./shared-erf.ts";
import { withSplitProducts } from "./split-products.ts";
import { withFusedSwish, withSwishProducts } from "./swish.ts";
import type { Device, Target } from "./target.ts";
import { withTransposedOperands } from "./transposed-operands.ts";
import { withTurnedProducts } from "./turned-products.ts";
import { withoutUnreadRows } from "./unread-rows.ts";

/*
 * Every graph pass, by the stage at which it runs. A pass returns cheaper values, equal to the given ones up to rounding,
 * in the same graph. Unused nodes are not compiled.
 */

/** A pass over values, whatever they are. */
interface Pass {
  /** Devices on which the pass runs. Default: all. */
  readonly devices?: readonly Device[];
  /** Condition beside the device. */
  readonly when?: (target: Target) => boolean;
  /** Effect as measured (docs/lab/SPEED.md, "What helped"): share of the time before, unless it says otherwise. */
  readonly gain: string;
  readonly run: (values: readonly Value[], target: Target) => readonly Value[];
}

const inFloat32 = ({ precision = "float32" }: Target): boolean => precision === "float32";
const inFloat16 = ({ precision }: Target): boolean => precision === "float16";

/** A model as a file writes it, before the passes over any model. */
const fileImport = {
  fusedNorms: { gain: "not measured: a shorter derivative", run: withFusedNorms },
  fusedSwish: { gain: "two passes over memory fewer, three where alpha is not 1", run: withFusedSwish },
} as const satisfies Record<string, Pass>;

/** Passes over a model before it is differentiated: derivatives then benefit too. */
const beforeDifferentiation = {
  unreadRows: {
    gain: "7 % of the operations of a transformer of 12 blocks, 14 % of 6",
    run: withoutUnreadRows,
  },
  fewQueries: {
    gain: "2 % of the operations of 12 blocks, 4 % of 6; steps 0.96 (small) to 0.99 on Zen 3",
    run: withFewQueries,
  },
  splitProducts: { gain: "not measured", run: withSplitProducts },
  // Pieces that were split apart may have rows that nobody reads.
  unreadRowsOfPieces: { gain: "with unreadRows", run: withoutUnreadRows },
} as const satisfies Record<string, Pass>;

/** Passes over a whole program, derivatives included, for the device that runs it. */
const wholeProgram = {
  sharedErf: { gain: "not measured: one error function an activation instead of two", run: withSharedErf },
  swishProducts: {
    gain: "attack step 0.96 (ViT-B/32), 0.93 (DeiT-Tiny at 112) on Zen 5, eager nodes included",
    run: withSwishProducts,
  },
  scaledProducts: {
    gain: "DeiT-Tiny at 112: attack step 0.94, optimiser step 0.95; ViT-B/32: optimiser step 0.94",
    run: withScaledProducts,
  },
  clippedSigns: {
    devices: ["webgpu"],
    gain: "not measured: images stay on the device in an attack step",
    run: withClippedSigns,
  },
  halfProducts: {
    when: inFloat16,
    gain: "not measured on a GPU",
    run: (values, { device = "cpu" }) => withHalfProducts(values, device === "cpu" ? "float32" : "float16"),
  },
  turnedProducts: {
    devices: ["cpu", "cuda"],
    when: inFloat32,
    gain: "attack step 0.96 (DeiT-Tiny at 112) to 0.99 (ViT-B/32) on Zen 5; CUDA not measured",
    run: withTurnedProducts,
  },
  transposedOperands: {
    devices: ["cpu"],
    when: inFloat32,
    gain: "optimiser step 0.88 to 0.96 on Zen 3, 0.96 to 1.02 on Zen 5; Intel not measured",
    run: withTransposedOperands,
  },
  parallelKernels: {
    devices: ["cpu"],
    when: (target) => inFloat32(target) && target.threads !== 1,
    gain: "attack step 0.94 to 0.98, optimiser step 0.95 to 1.0 on Intel with two threads",
    run: withParallelKernels,
  },
} as const satisfies Record<string, Pass>;

type Stage = Readonly<Record<string, Pass>>;
export type ProgramPass = keyof typeof wholeProgram;

function applied(values: readonly Value[], stage: Stage, target: Target = {}): readonly Value[] {
  const { device = "cpu" } = target;
  const isOn = ({ devices, when }: Pass): boolean => (devices?.includes(device) ?? true) && (when?.(target) ?? true);
  return Object.values(stage)
    .filter(isOn)
    .reduce((now, pass) => pass.run(now, target), values);
}

/** A model before it is differentiated. */
export function optimizedModel(model: Value): Value {
  return applied([model], beforeDifferentiation)[0]!;
}

/** The same for a model as a file writes it. */
export function optimizedFile(model: Value): Value {
  return optimizedModel(applied([model], fileImport)[0]!);
}

/**
 * All that one program computes.
 *
 * @param only the passes that are asked for, where they are on. Default: all
 */
export function optimizedProgram(
  values: readonly Value[],
  target: Target,
  only?: readonly ProgramPass[],
): readonly Value[] {
  if (!only) return applied(values, wholeProgram, target);
  return applied(values, Object.fromEntries(only.map((name) => [name, wholeProgram[name]])), target);
}

export interface StepTarget {
  /** Whether backward passes recompute activations wherever that saves memory. */
  readonly recompute: boolean;
}

/** A pass over outputs that depend on the derivatives of a loss. */
interface StepPass {
  readonly when: (target: StepTarget) => boolean;
  readonly gain: string;
  readonly run: <const Named extends Outputs>(outputs: Named, loss: Value) => { readonly [Name in keyof Named]: Value };
}

/** The optimiser step's loss and gradients. Its backward pass reads most of what the forward pass computes. */
const optimizerStep = {
  recomputed: {
    when: ({ recompute }) => recompute,
    gain: "memory of DeiT-Tiny at 112 from 172 to 77 MiB, for about one forward pass more",
    run: recomputed,
  },
  selectivelyRecomputed: {
    when: ({ recompute }) => !recompute,
    gain: "memory of DeiT-Tiny at 112 from 297 to 172 MiB; time 0.98 to 1.02",
    run: selectivelyRecomputed,
  },
} as const satisfies Record<string, StepPass>;

/** An attack's step. Weights have no gradient, so that its backward pass reads little. */
const attackStep = {
  recomputed: { when: ({ recompute }) => recompute, gain: "not measured", run: recomputed },
} as const satisfies Record<string, StepPass>;

function appliedToStep<const Named extends Outputs>(
  outputs: Named,
  loss: Value,
  stage: Readonly<Record<string, StepPass>>,
  target: StepTarget,
): { readonly [Name in keyof Named]: Value } {
  return Object.values(stage)
    .filter(({ when }) => when(target))
    .reduce<{ readonly [Name in keyof Named]: Value }>((now, { run }) => run(now, loss), outputs);
}

/** @param loss what was differentiated */
export function optimizedTraining<const Named extends Outputs>(
  outputs: Named,
  loss: Value,
  target: StepTarget,
): { readonly [Name in keyof Named]: Value } {
  return appliedToStep(outputs, loss, optimizerStep, target);
}

/** @param loss what was differentiated */
export function optimizedAttack(outputs: Outputs, loss: Value, target: StepTarget): Outputs {
  return appliedToStep(outputs, loss, attackStep, target);
}

/**
 * An attack's step with products by weights in int8, on request; CPU only. ViT-B/32 with K = 1 takes 0.60 to 0.68 of
 * PyTorch's time. The attack's result is rounded.
 *
 * @param parameters names of the inputs that are weights
 */
export function attackInInt8(outputs: Outputs, parameters: ReadonlySet<string>): Int8Products {
  return withInt8Products(outputs, parameters);
}
