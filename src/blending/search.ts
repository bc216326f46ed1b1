import type { Parameters } from "../models/encoder.ts";
import { blendParameters } from "./blend.ts";
import type { Fidelity, HeldOutImages } from "./held-out.ts";

/** A blend of the original and a robust encoder, and how much of the original's clean behaviour it keeps. */
export interface BlendPoint extends Fidelity {
  /** 0 is the original, 1 the robust encoder. */
  readonly weight: number;
}

/** The blend that a constraint chose, and those that were looked at on the way, by weight. */
export interface ChosenBlend extends BlendPoint {
  readonly keep: number;
  readonly points: readonly BlendPoint[];
}

/** Halvings of the weight's interval: the choice is within 1/128. */
const halvings = 7;

/**
 * The largest weight at which the blend keeps a share of the original's behaviour on held-out images; the share falls as
 * the weight rises.
 *
 * @param keep in [0, 1]
 */
export async function largestBlend(
  images: HeldOutImages,
  original: Parameters,
  robust: Parameters,
  keep: number,
): Promise<ChosenBlend> {
  const at = async (weight: number): Promise<BlendPoint> => ({
    weight,
    ...(await images.fidelity(blendParameters(original, robust, weight))),
  });
  const keeps = ({ kept }: BlendPoint): boolean => kept >= keep;
  const whole = await at(1);
  const points = [whole];
  let best = keeps(whole) ? whole : await at(0);
  let above = 1;
  for (let i = 0; i < halvings && best !== whole; i++) {
    const middle = await at((best.weight + above) / 2);
    points.push(middle);
    if (keeps(middle)) best = middle;
    else above = middle.weight;
  }
  return { ...best, keep, points: points.sort((a, b) => a.weight - b.weight) };
}
