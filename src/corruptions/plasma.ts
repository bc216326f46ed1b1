import type { RandomStream } from "../random.ts";

/**
 * A plasma fractal by the diamond-square algorithm on a torus, scaled to [0, 1].
 *
 * @param size of the part that is wanted; the fractal's own is the next power of two
 * @param decay what the random part is divided by from one scale to the next
 * @returns [size, size]
 */
export function plasmaFractal(size: number, decay: number, random: RandomStream): Float32Array {
  const side = 2 ** Math.ceil(Math.log2(size));
  const map = new Float64Array(side * side);
  const at = (y: number, x: number): number => map[(y & (side - 1)) * side + (x & (side - 1))]!;
  let wibble = 100;
  // Sets every `step`-th point of every `step`-th row from (top, left) to the mean of its four neighbours and a random part.
  const fill = (top: number, left: number, step: number, neighbours: readonly (readonly [number, number])[]): void => {
    for (let y = top; y < side; y += step)
      for (let x = left; x < side; x += step) {
        const mean = neighbours.reduce((sum, [dy, dx]) => sum + at(y + dy, x + dx), 0) / 4;
        map[y * side + x] = mean + wibble * random.uniform(-wibble, wibble);
      }
  };
  for (let step = side; step >= 2; step /= 2) {
    const half = step / 2;
    const corners = [-half, half].flatMap((dy) => [-half, half].map((dx) => [dy, dx] as const));
    const edges = [
      [-half, 0],
      [half, 0],
      [0, -half],
      [0, half],
    ] as const;
    fill(half, half, step, corners);
    fill(0, half, step, edges);
    fill(half, 0, step, edges);
    wibble /= decay;
  }
  const [low, high] = map.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)] as const, [
    Infinity,
    -Infinity,
  ] as readonly [number, number]);
  return Float32Array.from({ length: size * size }, (_, i) => {
    const value = map[Math.floor(i / size) * side + (i % size)]!;
    return high > low ? (value - low) / (high - low) : 0;
  });
}
