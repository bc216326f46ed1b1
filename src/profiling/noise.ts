/** A prime, so that the repetition lines up with no row of a matrix. */
const period = 65521;

/**
 * An array of random numbers for work whose values do not matter: drawn up to the period, then repeated, since drawing
 * the hundreds of millions of a large encoder would take longer than what is measured.
 */
export function noise(size: number, draw: () => number): Float32Array {
  const data = new Float32Array(size);
  for (let i = 0; i < Math.min(size, period); i++) data[i] = draw();
  for (let filled = period; filled < size; filled *= 2) data.copyWithin(filled, 0, filled);
  return data;
}

/** Standard normal numbers without end, in the same way. */
export function endlessNoise(draw: () => number): () => number {
  const table = noise(period, draw);
  let i = 0;
  return () => table[i++ % period]!;
}
