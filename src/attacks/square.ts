import { distance as distanceIn } from "./ball.ts";
import { type AttackDescriptor, attackOf } from "./descriptor.ts";
import type { Origin, Search } from "./search.ts";
import { choice, count } from "./settings.ts";
import { l2Changes, linfChanges } from "./square-changes.ts";
import { copyWindow } from "./square-window.ts";
import type { DenseNorm, ThreatModel } from "./threat.ts";

/** Square attack (Andriushchenko et al. 2020): random search on the margin, without gradients. */
export interface Square extends ThreatModel<DenseNorm> {
  readonly kind: "square";
  /** Changes tried in a run, after the point it starts from. */
  readonly queries: number;
  /** Independent runs an image; the worst counts. */
  readonly restarts: number;
}

export type SquareOptions = Partial<Omit<Square, "kind" | "epsilon">> & Pick<Square, "epsilon">;

export const squareAttack = {
  kind: "square",
  title: "Square",
  variants: { square: { takes: ["norm", "queries", "restarts"] } },
  settings: {
    norm: choice(["linf", "l2"], "the perturbation's norm"),
    queries: count(5000, "changes tried in a run"),
    restarts: count(1, "runs an image, the worst counts"),
  },
  gradient: false,
  name: () => "square",
  loss: () => "margin",
  classes: () => 2,
  targets: () => 0,
  points: ({ queries }) => queries + 1,
  norm: ({ norm }) => norm,
  describe: ({ queries }) => [`${queries} queries`],
  search: squareSearch,
} as const satisfies AttackDescriptor<Square>;

/**
 * Square's settings with their defaults: l-inf, 5000 queries, one run.
 *
 * @throws UsageError when epsilon is outside [0, 1] (l-inf) or negative, or another setting is out of its range
 */
export function square(options: SquareOptions): Square {
  return attackOf<Square>(squareAttack, options);
}

/**
 * Random search on the margin: every query changes a square window or two, and the change stays where the margin grows.
 * Windows and signs are drawn for each image by itself. The reference implementation shares the windows within a batch,
 * which for one image is the same chance.
 */
export function* squareSearch({ norm, epsilon, queries }: Square, { clean, random, start }: Origin): Search {
  const size = Math.sqrt(clean.length / 3);
  const changes = norm === "linf" ? linfChanges : l2Changes;
  const picture = { clean, size, epsilon, random };
  const best = start?.slice() ?? changes.start(picture);
  // Equal to the best one outside the windows that changed last.
  const point = best.slice();
  let { loss, success } = yield { point };
  let distance = distanceIn(norm, best, clean);
  for (let query = 0; !success && query < queries; query++) {
    const windows = changes.change(picture, point, windowSide(query, size), distance);
    const answer = yield { point };
    success = answer.success;
    const better = success || answer.loss > loss;
    const [from, to] = better ? [point, best] : [best, point];
    for (const window of windows) copyWindow(window, from, to);
    if (!better) continue;
    loss = answer.loss;
    distance = distanceIn(norm, best, clean);
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
