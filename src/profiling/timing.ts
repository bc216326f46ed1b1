/** Several measurements of the same. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Runs the work once to warm up, then `repeats` counted times. */
export async function secondsOf(work: () => Promise<unknown>, repeats: number): Promise<Spread> {
  await work();
  const seconds: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const started = performance.now();
    await work();
    seconds.push((performance.now() - started) / 1000);
  }
  return spreadOf(seconds);
}

/** @param numbers at least one */
export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    min: sorted[0]!,
    max: sorted.at(-1)!,
  };
}
