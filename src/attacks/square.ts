import type { Origin, Search } from "./search.ts";
import { l2Changes, linfChanges } from "./square-changes.ts";
import { checkPositiveCount, checkThreatModel, type DenseNorm, type ThreatModel } from "./threat.ts";

/** Square attack (Andriushchenko et al. 2020): random search on the margin, without gradients. */
export interface Square extends ThreatModel<DenseNorm> {
  readonly kind: "square";
  /** Points looked at in a run. */
  readonly queries: number;
  /** Independent runs an image; the worst counts. */
  readonly restarts: number;
}

export type SquareOptions = Partial<Omit<Square, "kind" | "epsilon">> & Pick<Square, "epsilon">;

/**
 * Square's settings with their defaults: l-inf, 5000 queries, one run.
 *
 * @throws UsageError when epsilon is outside [0, 1] (l-inf) or negative, or a count is not positive
 */
export function square(options: SquareOptions): Square {
  const attack: Square = { kind: "square", norm: "linf", queries: 5000, restarts: 1, ...options };
  checkThreatModel(attack);
  for (const name of ["queries", "restarts"] as const) checkPositiveCount("Square", name, attack[name]);
  return attack;
}

/**
 * Random search on the margin: every query changes one square window, and the change stays where the margin grows. Windows
 * and signs are drawn for each image by itself; the reference implementation shares them within a batch.
 */
export function* squareSearch(attack: Square, { clean, random, start }: Origin): Search {
  const size = Math.sqrt(clean.length / 3);
  const changes = attack.norm === "linf" ? linfChanges : l2Changes;
  const threat = { clean, size, epsilon: attack.epsilon, random };
  let best = start?.slice() ?? changes.start(threat);
  let { loss, success } = yield { point: best };
  for (let query = 0; !success && query < attack.queries; query++) {
    const side = windowSide(query, size);
    const candidate = changes.next(threat, best, side);
    const answer = yield { point: candidate };
    success = answer.success;
    if (answer.loss <= loss && !success) continue;
    best = candidate;
    loss = answer.loss;
  }
  return { point: best, loss, success };
}

/** Share of the picture that a window covers, halved as queries go by (Andriushchenko et al. 2020, section 4). */
const initialShare = 0.8;
const halvings = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000];

function windowSide(query: number, size: number): number {
  const share = initialShare / 2 ** halvings.filter((at) => query > at).length;
  return Math.min(Math.max(Math.round(Math.sqrt(share) * size), 1), size);
}
