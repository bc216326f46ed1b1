import { type Spread, spreadOf } from "../src/profiling/timing.ts";

/** Two things measured right after one another. */
export interface Round<A, B> {
  readonly ours: A;
  readonly peer: B;
}

/** Measures ours, the peer's, ours, the peer's ...: a machine that slows down slows both. */
export async function alternate<A, B>(
  rounds: number,
  ours: () => Promise<A>,
  peer: () => Promise<B>,
  onRound: (round: Round<A, B>) => void,
): Promise<void> {
  for (let i = 0; i < rounds; i++) onRound({ ours: await ours(), peer: await peer() });
}

/** The median is that of the two sides' medians over the rounds; the range is that of the rounds' own ratios. */
export function ratioOf<R>(rounds: readonly R[], ours: (round: R) => number, peer: (round: R) => number): Spread {
  const { min, max } = spreadOf(rounds.map((round) => ours(round) / peer(round)));
  return { median: spreadOf(rounds.map(ours)).median / spreadOf(rounds.map(peer)).median, min, max };
}

/** Spreads of several rounds as one: the median of their medians, the smallest and the largest of all. */
export function overall(spreads: readonly Spread[]): Spread {
  return {
    median: spreadOf(spreads.map(({ median }) => median)).median,
    min: Math.min(...spreads.map(({ min }) => min)),
    max: Math.max(...spreads.map(({ max }) => max)),
  };
}
