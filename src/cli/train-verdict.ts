import { formatEpsilon } from "../epsilon.ts";
import type { RecordedRecognition, Verdict } from "../training/index.ts";
import { duration } from "./progress.ts";

/** Facts shown beside a verdict. */
export interface VerdictContext {
  readonly run: string;
  readonly encoder: string;
  readonly data: string;
  readonly epsilon: number;
  readonly learningRate: number;
  /** Passes over the data that the run took, and how long they took. */
  readonly epochs: number;
  readonly seconds: number;
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const points = (share: number): string => `${share >= 0 ? "+" : "-"}${Math.abs(100 * share).toFixed(0)}`;

/** The verdict in one sentence, what it rests on, and the command to run next; three lines. */
export function verdictText(verdict: Verdict, context: VerdictContext): string {
  const { images, before, after, gain, kind } = verdict;
  const size = formatEpsilon(context.epsilon);
  const change = `${points(after.attacked - before.attacked)} points [${points(gain.low)} to ${points(gain.high)}]`;
  const facts =
    `Of ${images} images kept aside, ${percent(after.attacked)} are recognised under attack at ${size} (${percent(before.attacked)} before), ` +
    `${percent(after.clean)} clean (${percent(before.clean)} before). Guessing: ${percent(1 / images)}. PGD, 10 steps: an upper bound.`;
  switch (kind) {
    case "more-robust":
      return `More robust: ${change}, clean ${points(after.clean - before.clean)}.\n${facts}\nNext: ${measure(context)}`;
    case "not-yet":
      return `Not yet more robust: ${change}. Train longer.\n${facts}\nNext, about ${duration(2 * context.seconds)}: ${longer(context)}`;
    case "collapsed":
      return `Collapsed: ${percent(after.clean)} of the images are still recognised without any attack.\n${facts}\nNext: ${gentler(context)}`;
  }
}

/** A note during training: the recognition of held-out images. */
export function judgedNote({ when, step, clean, attacked, images }: RecordedRecognition): string {
  const at = when === "before" ? "Before training" : when === "after" ? "After training" : `After ${step} batches`;
  return `${at}: ${percent(clean)} of ${images} images kept aside recognised, ${percent(attacked)} under attack.`;
}

function measure({ encoder, run, data, epsilon }: VerdictContext): string {
  return `lore evaluate --encoder ${encoder} ${run} --data ${data} --attack pgd --epsilon ${formatEpsilon(epsilon)}`;
}

function longer({ run, encoder, data, epsilon, epochs }: VerdictContext): string {
  return `lore train --encoder ${encoder} --data ${data} --epsilon ${formatEpsilon(epsilon)} --epochs ${2 * epochs} --out ${run}-longer`;
}

function gentler({ run, encoder, data, epsilon, learningRate }: VerdictContext): string {
  const rate = (learningRate / 3).toPrecision(1);
  return `lore train --encoder ${encoder} --data ${data} --epsilon ${formatEpsilon(epsilon)} --learning-rate ${rate} --out ${run}-gentler`;
}
