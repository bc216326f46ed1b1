import { type Interval, mcnemar, pairedInterval } from "../statistics.ts";
import type { Recognition } from "./recognition.ts";

/** Recognition by one encoder, as shares of the held-out images. */
export interface RecognitionShares {
  readonly clean: number;
  readonly attacked: number;
}

/** Effect of a run on robustness, judged on held-out images. */
export interface Verdict {
  /**
   * `more-robust`: more images are recognised under attack than before, beyond chance (McNemar, p < 0.05). `collapsed`: fewer
   * than half are still recognised clean. `not-yet`: neither.
   */
  readonly kind: "more-robust" | "not-yet" | "collapsed";
  readonly images: number;
  readonly before: RecognitionShares;
  readonly after: RecognitionShares;
  /** 95 % interval of the gain under attack, paired. */
  readonly gain: Interval;
}

const significance = 0.05;
const collapsedBelow = 0.5;

/** @param after recognition of the same images as `before` */
export function verdictOf(before: Recognition, after: Recognition): Verdict {
  const images = after.attacked.length;
  const gained = after.attacked.filter((right, i) => right && !before.attacked[i]).length;
  const lost = before.attacked.filter((right, i) => right && !after.attacked[i]).length;
  const shares = sharesOf(after);
  const better = gained > lost && mcnemar(lost, gained) < significance;
  return {
    kind: shares.clean < collapsedBelow ? "collapsed" : better ? "more-robust" : "not-yet",
    images,
    before: sharesOf(before),
    after: shares,
    gain: pairedInterval(gained, lost, images),
  };
}

export function sharesOf({ clean, attacked }: Recognition): RecognitionShares {
  const share = (list: readonly boolean[]): number => list.filter(Boolean).length / list.length;
  return { clean: share(clean), attacked: share(attacked) };
}
