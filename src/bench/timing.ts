/** Seconds that a piece of work took, over several repetitions. */
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
  seconds.sort((a, b) => a - b);
  const middle = (repeats - 1) / 2;
  return {
    median: (seconds[Math.floor(middle)]! + seconds[Math.ceil(middle)]!) / 2,
    min: seconds[0]!,
    max: seconds.at(-1)!,
  };
}
