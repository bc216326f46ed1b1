import type { Spread } from "./fidelity.ts";

const quantiles = [0.05, 0.95] as const;

/**
 * Mean, median and the 5 % and 95 % quantiles (linear between neighbours, as NumPy's default).
 *
 * @param values at least one
 */
export function spreadOf(values: ArrayLike<number>): Spread {
  const sorted = Float64Array.from(values).sort();
  return {
    mean: sorted.reduce((sum, x) => sum + x, 0) / sorted.length,
    median: quantile(sorted, 0.5),
    low: quantile(sorted, quantiles[0]),
    high: quantile(sorted, quantiles[1]),
    quantiles,
  };
}

function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return below + (at - Math.floor(at)) * (above - below);
}
