import type { AttackResult, Evaluation, PairedDifference, PairedEvaluation } from "../results/index.ts";
import { type Interval, newcombe, pairedInterval, wilson } from "../statistics.ts";
import { type AccuracyGroup, attackKey, chance, resultOf } from "./accuracies.ts";
import { attackRank, isNoise } from "./attack-words.ts";
import type { Base, Encoders, ShownEncoder } from "./encoders.ts";

/** Told of where it is not known what an encoder was trained with. */
export const usualEpsilon = 2 / 255;

/** Share of what clean accuracy exceeds guessing by: an encoder that keeps less has collapsed. */
const collapsed = 0.25;

export type Badge = "more robust" | "less robust" | "not distinguishable" | "collapsed" | "not measured";

/** An accuracy before and after training. */
export interface Change {
  readonly before: number;
  readonly after: number;
  /** 95 % interval of the difference. */
  readonly interval: Interval;
  /** McNemar's, where both were measured on the same images in one go; else the interval is the wider one of two samples. */
  readonly p?: number;
}

/** The effect of training on one encoder. */
export interface Verdict {
  readonly encoder: ShownEncoder;
  readonly badge: Badge;
  /** Absent where it was not measured beside its original. */
  readonly found?: Comparison;
}

export interface Comparison {
  readonly group: AccuracyGroup;
  readonly attack: AttackResult;
  readonly robust: Change;
  readonly clean: Change;
}

/** A verdict on each encoder that was trained from the base: the most robust first, those not measured last. */
export function verdictsOf(base: Base, groups: readonly AccuracyGroup[], encoders: Encoders): readonly Verdict[] {
  const verdicts = base.trained.map((encoder): Verdict => {
    const found = comparison(base.original, encoder, groups, encoders);
    return found ? { encoder, badge: badgeOf(found), found } : { encoder, badge: "not measured" };
  });
  const gain = ({ found, badge }: Verdict): number =>
    found === undefined ? -3 : badge === "collapsed" ? -2 : found.robust.after - found.robust.before;
  return verdicts.toSorted((a, b) => gain(b) - gain(a));
}

/**
 * The measurement that tells most: at the size that the encoder was trained with, or the nearest to it; under the strongest
 * attack that was run on at least half as many images as the largest measurement there is; on the most images.
 */
function comparison(
  original: ShownEncoder,
  encoder: ShownEncoder,
  groups: readonly AccuracyGroup[],
  encoders: Encoders,
): Comparison | undefined {
  const all = groups.flatMap((group) => {
    const [before, after] = [original, encoder].map((one) =>
      group.evaluations.find((evaluation) => encoders.of(evaluation.encoder) === one),
    );
    if (!before || !after) return [];
    return after.attacks.flatMap((attack) => {
      const other = resultOf(before, attack);
      return other === undefined || isNoise(attack.attack) ? [] : [{ group, before, after, attack, other }];
    });
  });
  const mostImages = Math.max(...all.map(({ group }) => group.images));
  const target = encoder.epsilon ?? usualEpsilon;
  const distance = ({ attack }: (typeof all)[number]): number => Math.abs(attack.epsilon - target);
  const [best] = all
    .filter(({ group }) => 2 * group.images >= mostImages)
    .toSorted(
      (a, b) =>
        Number(a.group.ofSuite) - Number(b.group.ofSuite) ||
        (Math.abs(distance(a) - distance(b)) < 1e-9 ? 0 : distance(a) - distance(b)) ||
        attackRank(a.attack.attack) - attackRank(b.attack.attack) ||
        b.group.images - a.group.images,
    );
  if (!best) return undefined;
  const { group, before, after, attack, other } = best;
  const pair = pairOf(before, after);
  return {
    ...{ group, attack },
    robust: change(
      { before: other.accuracy, after: attack.accuracy, images: group.images },
      pair?.attacks[after.attacks.indexOf(attack)],
    ),
    clean: change({ before: before.clean, after: after.clean, images: group.images }, pair?.clean),
  };
}

/** The two image by image, whichever of them was measured beside the other. */
function pairOf(before: Evaluation, after: Evaluation): Pick<PairedEvaluation, "clean" | "attacks"> | undefined {
  if (after.paired?.with === before.encoder) return after.paired;
  if (before.paired?.with !== after.encoder) return undefined;
  const turned = ({ difference, gained, lost, p }: PairedDifference): PairedDifference => ({
    ...{ difference: -difference, gained: lost, lost: gained, p },
  });
  const { clean, attacks } = before.paired;
  const at = after.attacks.map((attack) => before.attacks.findIndex((one) => attackKey(one) === attackKey(attack)));
  return { clean: turned(clean), attacks: at.map((i) => turned(attacks[i]!)) };
}

interface Accuracies {
  readonly before: number;
  readonly after: number;
  readonly images: number;
}

export function change({ before, after, images }: Accuracies, pair?: PairedDifference): Change {
  const [one, other] = [before, after].map((share) => ({ share, count: images })) as [
    { readonly share: number; readonly count: number },
    { readonly share: number; readonly count: number },
  ];
  return pair
    ? { before, after, interval: pairedInterval(pair.gained, pair.lost, images), p: pair.p }
    : { before, after, interval: newcombe(one, other) };
}

function badgeOf({ group, robust, clean }: Comparison): Badge {
  const kept = (clean.after - chance(group)) / (clean.before - chance(group));
  if (!isAtChance(clean.before, group) && (isAtChance(clean.after, group) || kept < collapsed)) return "collapsed";
  if (robust.p !== undefined && robust.p >= 0.05) return "not distinguishable";
  if (robust.interval.low > 0) return "more robust";
  return robust.interval.high < 0 ? "less robust" : "not distinguishable";
}

/** Whether guessing would do as well, as far as so many images can tell. */
function isAtChance(accuracy: number, of: Pick<Evaluation, "images" | "classes">): boolean {
  return wilson(accuracy, of.images).low <= chance(of);
}
