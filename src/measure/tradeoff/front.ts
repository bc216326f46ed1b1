import type { Attack, AutoAttack } from "../../attacks/index.ts";
import type { BlendPoint, HeldOutImages } from "../../blending/index.ts";
import { blend } from "../../blending/index.ts";
import type { ImageSource } from "../../data/index.ts";
import { defined } from "../../defined.ts";
import type { Encoder } from "../../models/index.ts";
import type { Evaluation } from "../../results/index.ts";
import { type EvaluateOptions, evaluate } from "../accuracy/index.ts";

/** A blend, the share of behaviour that it keeps, and, with labels, its accuracy clean and under attack. */
export interface FrontPoint extends BlendPoint {
  readonly evaluation?: Evaluation;
}

export interface FrontOptions {
  /** Labelled images to measure accuracy on. Default: fidelity alone is measured. */
  readonly labelled?: ImageSource;
  readonly attacks?: readonly (Attack | AutoAttack)[];
  /** Options of the accuracy measurement. */
  readonly evaluation?: Omit<EvaluateOptions, "attacks">;
  readonly onPoint?: (point: FrontPoint, done: number, total: number) => void;
}

/**
 * The trade-off after training: blends of two encoders, by weight.
 *
 * @param weights 0 is the original, 1 the robust encoder
 * @throws UsageError when the encoders are not versions of one, or a weight is outside [0, 1]
 */
export async function front(
  original: Encoder,
  robust: Encoder,
  weights: readonly number[],
  images: HeldOutImages,
  { labelled, attacks = [], evaluation, onPoint }: FrontOptions = {},
): Promise<readonly FrontPoint[]> {
  const points: FrontPoint[] = [];
  for (const weight of weights) {
    const encoder = blend(original, robust, weight);
    const fidelity = await images.fidelity(encoder.parameters);
    const measured = labelled && (await evaluate(encoder, labelled, { ...evaluation, attacks }));
    const point = { weight, ...fidelity, ...defined({ evaluation: measured }) };
    points.push(point);
    onPoint?.(point, points.length, weights.length);
  }
  return points;
}
