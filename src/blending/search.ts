import type { Parameters } from "../models/index.ts";
import { blendParameters } from "./blend.ts";
import type { Fidelity, HeldOutImages } from "./held-out.ts";

/** A blend of the original and a robust encoder, and how much of the original's clean behaviour it keeps. */
export interface BlendPoint extends Fidelity {
  /** 0 is the original, 1 the robust encoder. */
  readonly weight: number;
}

/** Limits on how far a blend goes from the original. */
export interface BlendRule {
  /** Largest weight. */
  readonly largest: number;
  /** Smallest share of the original's behaviour to keep, in [0, 1]. */
  readonly keep: number;
}

/** The blend chosen by a rule, and those tried on the way, by weight. */
export interface ChosenBlend extends BlendPoint, BlendRule {
  readonly points: readonly BlendPoint[];
}

/** Halvings of the interval: the choice is within 1/128 of it. */
const halvings = 7;

/**
 * Finds the largest weight that the rule allows, from the share of the original's behaviour that blends keep on held-out
 * images. The share falls as the weight rises.
 */
export async function largestBlend(
  images: HeldOutImages,
  original: Parameters,
  robust: Parameters,
  rule: BlendRule,
): Promise<ChosenBlend> {
  const at = async (weight: number): Promise<BlendPoint> => ({
    weight,
    ...(await images.fidelity(blendParameters(original, robust, weight))),
  });
  const keeps = ({ kept }: BlendPoint): boolean => kept >= rule.keep;
  const whole = await at(rule.largest);
  const points = [whole];
  let best = keeps(whole) ? whole : await at(0);
  let above = rule.largest;
  for (let i = 0; i < halvings && best !== whole; i++) {
    const middle = await at((best.weight + above) / 2);
    points.push(middle);
    if (keeps(middle)) best = middle;
    else above = middle.weight;
  }
  return { ...best, ...rule, points: points.sort((a, b) => a.weight - b.weight) };
}
