import { inside } from "./planes.ts";

/**
 * Canny's edges, with 3 x 3 Sobel gradients measured as |dx| + |dy|.
 *
 * @param plane [S, S], 0 ... 255
 * @param thresholds edges start above `high` and go on above `low`
 * @returns 1 on edges, 0 elsewhere
 */
export function edges(
  plane: Float32Array,
  size: number,
  { low, high }: { readonly low: number; readonly high: number },
): Uint8Array {
  const { dx, dy } = sobel(plane, size);
  const magnitude = dx.map((x, i) => Math.abs(x) + Math.abs(dy[i]!));
  const at = (x: number, y: number): number =>
    x >= 0 && x < size && y >= 0 && y < size ? magnitude[y * size + x]! : 0;
  const ridge = Uint8Array.from(magnitude, (m, i) =>
    Number(m > low && isRidge(m, dx[i]!, dy[i]!, (sx, sy) => at((i % size) + sx, Math.floor(i / size) + sy))),
  );
  const found = new Uint8Array(size * size);
  const open = Array.from(ridge.keys()).filter((i) => ridge[i] && magnitude[i]! > high);
  for (let i = open.pop(); i !== undefined; i = open.pop()) {
    if (found[i]) continue;
    found[i] = 1;
    const [x, y] = [i % size, Math.floor(i / size)];
    for (let v = Math.max(y - 1, 0); v <= Math.min(y + 1, size - 1); v++)
      for (let u = Math.max(x - 1, 0); u <= Math.min(x + 1, size - 1); u++)
        if (ridge[v * size + u]) open.push(v * size + u);
  }
  return found;
}

/** Whether the magnitude is a maximum across the edge; the direction is one of four. */
function isRidge(m: number, dx: number, dy: number, at: (sx: number, sy: number) => number): boolean {
  const [x, y] = [Math.abs(dx), Math.abs(dy)];
  const tangent = Math.SQRT2 - 1;
  if (y < x * tangent) return m > at(-1, 0) && m >= at(1, 0);
  if (y > x * (tangent + 2)) return m > at(0, -1) && m >= at(0, 1);
  const s = dx < 0 !== dy < 0 ? -1 : 1;
  return m > at(-s, -1) && m > at(s, 1);
}

function sobel(plane: Float32Array, size: number): { readonly dx: Float32Array; readonly dy: Float32Array } {
  const dx = new Float32Array(size * size);
  const dy = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    const [above, here, below] = [-1, 0, 1].map((d) => inside(y + d, size, "nearest") * size) as [
      number,
      number,
      number,
    ];
    for (let x = 0; x < size; x++) {
      const [left, right] = [inside(x - 1, size, "nearest"), inside(x + 1, size, "nearest")];
      const [a, b, c] = [plane[above + left]!, plane[above + x]!, plane[above + right]!];
      const [d, f] = [plane[here + left]!, plane[here + right]!];
      const [g, h, k] = [plane[below + left]!, plane[below + x]!, plane[below + right]!];
      dx[y * size + x] = c + 2 * f + k - a - 2 * d - g;
      dy[y * size + x] = g + 2 * h + k - a - 2 * b - c;
    }
  }
  return { dx, dy };
}

/** Moves of a chamfer distance that looks backwards: along an axis, diagonally, like a knight (Borgefors 1986). */
const chamfer = [
  ...[
    [-1, 0],
    [0, -1],
  ].map(([x, y]) => ({ x: x!, y: y!, length: 1 })),
  ...[
    [-1, -1],
    [1, -1],
  ].map(([x, y]) => ({ x: x!, y: y!, length: 1.4 })),
  ...[
    [-2, -1],
    [2, -1],
    [-1, -2],
    [1, -2],
  ].map(([x, y]) => ({ x: x!, y: y!, length: 2.1969 })),
];

/** Distance to the nearest edge in pixels; infinite where there is none. */
export function distanceToEdges(edge: Uint8Array, size: number): Float32Array {
  const distance = Float32Array.from(edge, (on) => (on ? 0 : Number.POSITIVE_INFINITY));
  const relax = (x: number, y: number, sign: 1 | -1): void => {
    const at = y * size + x;
    for (const move of chamfer) {
      const [u, v] = [x + sign * move.x, y + sign * move.y];
      if (u >= 0 && u < size && v >= 0 && v < size)
        distance[at] = Math.min(distance[at]!, distance[v * size + u]! + move.length);
    }
  };
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) relax(x, y, 1);
  for (let y = size - 1; y >= 0; y--) for (let x = size - 1; x >= 0; x--) relax(x, y, -1);
  return distance;
}

/** Histogram equalisation of whole numbers 0 ... 255: each becomes the share of pixels up to it, the least becomes 0. */
export function equalized(plane: Float32Array): Float32Array {
  const histogram = new Float64Array(256);
  for (const x of plane) histogram[x]! += 1;
  const least = histogram.findIndex((count) => count > 0);
  const others = plane.length - histogram[least]!;
  if (others === 0) return plane;
  let sum = 0;
  const levels = histogram.map((count, level) => {
    if (level > least) sum += count;
    return Math.round((255 * sum) / others);
  });
  return plane.map((x) => levels[x]!);
}
