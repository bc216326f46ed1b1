/** Ends of an interval of shares. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Bound of the central 95 % of the standard normal distribution. */
const z95 = 1.959963984540054;

/**
 * 95 % interval of a counted share (Wilson 1927): the true shares that are consistent with the count. It stays within
 * [0, 1]. It also holds for few images and for shares near 0 and 1, where the share plus or minus its standard error
 * does not.
 *
 * @param share counted, in [0, 1]
 * @param count images, at least 1
 */
export function wilson(share: number, count: number): Interval {
  const z2 = z95 ** 2 / count;
  const center = (share + z2 / 2) / (1 + z2);
  const half = (Math.sqrt(z2) * Math.sqrt(share * (1 - share) + z2 / 4)) / (1 + z2);
  return { low: Math.max(0, center - half), high: Math.min(1, center + half) };
}

/**
 * McNemar's exact test of two encoders on the same images (two-sided binomial with p = 1/2). It considers the images that
 * only one encoder classifies correctly, and gives the probability of a split at least this uneven by chance alone.
 *
 * @param onlyFirst images that only the first is right on
 * @param onlySecond images that only the second is right on
 * @returns p, in (0, 1]
 */
export function mcnemar(onlyFirst: number, onlySecond: number): number {
  const total = onlyFirst + onlySecond;
  const fewer = Math.min(onlyFirst, onlySecond);
  // Terms of the binomial distribution one from the other, in logarithms: 2^-total is below what numbers hold from 1075 on.
  let log = -total * Math.LN2;
  let tail = 0;
  for (let k = 0; k <= fewer; k++) {
    tail += Math.exp(log);
    log += Math.log((total - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}

/**
 * 95 % interval of the difference of two shares counted on different images, or on the same ones if the pairing is
 * unknown (Newcombe 1998, method 10: Wilson's intervals squared and added). On the same images it is wider than needed.
 */
export function newcombe(
  first: { readonly share: number; readonly count: number },
  second: { readonly share: number; readonly count: number },
): Interval {
  const [one, other] = [wilson(first.share, first.count), wilson(second.share, second.count)];
  const difference = second.share - first.share;
  return {
    low: Math.max(-1, difference - Math.hypot(second.share - other.low, one.high - first.share)),
    high: Math.min(1, difference + Math.hypot(other.high - second.share, first.share - one.low)),
  };
}

/**
 * 95 % interval of the difference of two shares on the same images (Bonett and Price 2012: Wald's with one image added
 * to each kind of disagreement). It also holds for few images, where Wald's own is too narrow.
 *
 * @param gained images that only the second is right on
 * @param lost images that only the first is right on
 * @param count images in all, at least 1
 */
export function pairedInterval(gained: number, lost: number, count: number): Interval {
  const [more, fewer] = [(gained + 1) / (count + 2), (lost + 1) / (count + 2)];
  const difference = more - fewer;
  const half = z95 * Math.sqrt((more + fewer - difference ** 2) / (count + 2));
  return { low: Math.max(-1, difference - half), high: Math.min(1, difference + half) };
}
