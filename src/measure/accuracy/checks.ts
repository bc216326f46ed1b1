import { type Attack, type AutoAttack, attackLoss, attackName, attacksIn, classesNeeded } from "../../attacks/index.ts";
import { type ImageBatch, type Telling, tellFault } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import type { Predictions, Predictor } from "../../inference/index.ts";
import { counted } from "../../words.ts";
import type { Attacker } from "./attacker.ts";
import { correctImages, joined } from "./chunk.ts";

/*
 * The reference implementation's checks of an attacked model (Croce and Hein 2020, `checks.py`), as warnings to act on.
 */

/**
 * The attacks that work with this number of classes. Warns of the others.
 *
 * @throws UsageError when none of them can be run, or under `strict` one cannot
 */
export function fittingAttacks(
  measurement: Attack | AutoAttack,
  classes: number,
  telling: Telling = {},
): readonly Attack[] {
  const attacks = attacksIn(measurement);
  const fitting = attacks.filter((attack) => classesNeeded(attack) <= classes);
  if (fitting.length === attacks.length) return attacks;
  const left = attacks.filter((attack) => !fitting.includes(attack));
  const needs = Math.max(...left.map(classesNeeded));
  const reason = `With ${counted(classes, "class", "classes")} ${left.map(attackName).join(" and ")} cannot be run: ${whyMore(classes, needs)}.`;
  if (fitting.length === 0)
    throw new UsageError(`${reason} ${classes < 2 ? "Measure among more classes" : "Use apgd-ce"}.`);
  tellFault(`${reason} Measured with ${fitting.map(attackName).join(", ")} alone.`, telling);
  return fitting;
}

/** @param needs classes that an attack needs, more than there are */
function whyMore(classes: number, needs: number): string {
  if (classes < 2) return "there is no other class that an image could be taken for";
  return needs === 3
    ? "the DLR loss compares the label with the third largest logit"
    : "the targeted DLR loss compares the label with the third and the fourth largest logit";
}

/** Warnings about the encoder from its first images, before hours of attacks. */
export async function encoderWarnings(
  images: ImageBatch,
  predictions: Predictions,
  context: {
    readonly predictor: Predictor;
    readonly attacker: Attacker;
    readonly measured: readonly (Attack | AutoAttack)[];
  },
): Promise<readonly string[]> {
  const { predictor, attacker, measured } = context;
  if (measured.length === 0) return [];
  const labels = Array.from(images.labels);
  const classes = predictions.logits.length / images.count;
  const again = await predictor.predict(images.pixels, labels);
  const averaged = measured.every((what) => what.kind === "autoattack" && what.version === "rand");
  const found = [
    averaged ? undefined : randomisedWarning(predictions.logits, again.logits, classes),
    probabilitiesWarning(predictions.logits, classes),
  ];
  const right = correctImages(images, predictions);
  const attacks = measured.flatMap(attacksIn);
  const gradient = attacks.find((attack) => attackLoss(attack).gradient && attackLoss(attack).loss === "ce");
  if (gradient && right.length > 0) {
    const zero = await attacker.zeroGradients(gradient, {
      clean: joined(right.map(({ pixels }) => pixels)),
      labels: right.map(({ label }) => label),
    });
    found.push(zeroGradientWarning(attackName(gradient), zero, right.length));
  }
  return found.filter((warning) => warning !== undefined);
}

/** Logits [count, classes] of two forward passes of the same images. */
export function randomisedWarning(first: Float32Array, second: Float32Array, classes: number): string | undefined {
  for (let row = 0; row < first.length; row += classes) {
    const [a, b] = [first.subarray(row, row + classes), second.subarray(row, row + classes)];
    const [p, q] = [Math.hypot(...a) + 1e-10, Math.hypot(...b) + 1e-10];
    const difference = Math.hypot(...a.map((x, c) => x / p - b[c]! / q));
    if (difference > 1e-4)
      return "The encoder gives other logits for the same image each time. Its accuracy is a random number; attack it with autoattack-rand (gradients averaged over 20 evaluations).";
  }
  return undefined;
}

/** @param logits [count, C] */
export function probabilitiesWarning(logits: Float32Array, classes: number): string | undefined {
  for (let row = 0; row < logits.length; row += classes) {
    const values = logits.subarray(row, row + classes);
    const sum = values.reduce((total, x) => total + x, 0);
    if (values.some((x) => x < -1e-5 || x > 1 + 1e-5) || Math.abs(sum - 1) > 1e-5) return undefined;
  }
  return "The logits look like probabilities (none negative, each row sums to 1). Gradients through a softmax vanish where the encoder is sure; give the logits before it.";
}

export function zeroGradientWarning(attack: string, zero: number, count: number): string | undefined {
  if (zero === 0) return undefined;
  return `${attack}: the loss has no gradient at all at ${zero} of the first ${count} images. Gradient attacks cannot see a way there, so the accuracy they leave says little; look at what square finds.`;
}

/** Shares of images left by the attacks of one AutoAttack, in order. */
export function maskingWarning(
  stages: readonly { readonly attack: string; readonly accuracy: number }[],
): string | undefined {
  const at = stages.findIndex(({ attack }) => attack === "square");
  const before = stages[at - 1];
  const drop = before ? before.accuracy - stages[at]!.accuracy : 0;
  // The reference's threshold: 0.2 points.
  if (drop <= 0.002) return undefined;
  return `Square, which uses no gradients, broke another ${(100 * drop).toFixed(1)} points of images that the gradient attacks left. The encoder probably hides its gradients (masking): take its robust accuracy as too high, and run square with more queries and restarts.`;
}
