import type { Origin, Search } from "./search.ts";
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

export function* squareSearch(attack: Square, { clean }: Origin): Search {
  yield { point: clean };
  throw new Error(`not yet: ${attack.kind}`);
}
