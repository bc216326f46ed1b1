import type { RandomStream } from "../random.ts";
import { distance, lengthIn } from "./ball.ts";

/** What Square's changes start from. */
interface Picture {
  /** [3, size, size] in [0, 1] */
  readonly clean: Float32Array;
  readonly size: number;
  readonly epsilon: number;
  readonly random: RandomStream;
}

/** How Square perturbs within one norm. Every point returned is a new array within the ball and [0, 1]. */
interface Changes {
  readonly start: (picture: Picture) => Float32Array;
  /** The best point so far with another square of `side` pixels. */
  readonly next: (picture: Picture, best: Float32Array, side: number) => Float32Array;
}

const clipped = (x: number): number => Math.min(Math.max(x, 0), 1);
const sign = (random: RandomStream): number => (random.below(2) === 0 ? -1 : 1);

/** Every pixel at plus or minus epsilon: vertical stripes first, then squares of one sign a channel. */
export const linfChanges: Changes = {
  start: ({ clean, size, epsilon, random }) => {
    const stripes = Array.from({ length: 3 * size }, () => epsilon * sign(random));
    return clean.map((x, i) => clipped(x + stripes[Math.floor(i / size ** 2) * size + (i % size)]!));
  },
  next: ({ clean, size, epsilon, random }, best, side) => {
    const window = randomWindow(size, side, random);
    const point = best.slice();
    for (let channel = 0; channel < 3; channel++) {
      const shift = epsilon * sign(random);
      // From a point of the ball, a move by 2 epsilon ends on the ball's side whatever it was.
      for (const i of pixelsOf(window, channel, size)) point[i] = clipped(clean[i]! + shift);
    }
    return point;
  },
};

/** All of epsilon spent on smooth bumps: each change moves what one window held into another. */
export const l2Changes: Changes = {
  start: (picture) => {
    const { clean, size, random } = picture;
    const delta = new Float32Array(clean.length);
    const side = Math.max(Math.floor(size / 5), 1);
    const margin = Math.floor((size - 5 * side) / 2);
    const first = Math.max(margin, 0);
    for (let row = first; row + side <= size; row += side) {
      for (let column = first; column + side <= size; column += side) {
        const bump = bumps(side, random);
        for (let channel = 0; channel < 3; channel++) {
          const s = sign(random);
          pixelsOf({ row, column, side }, channel, size).forEach((i, k) => {
            delta[i] = s * bump[k]!;
          });
        }
      }
    }
    return scaledTo(picture, delta);
  },
  next: (picture, best, windowSide) => {
    const { clean, size, epsilon, random } = picture;
    const odd = Math.max(windowSide, 3);
    const side = Math.min(odd % 2 === 0 ? odd + 1 : odd, size);
    const [to, from] = [randomWindow(size, side, random), randomWindow(size, side, random)];
    const delta = best.map((x, i) => x - clean[i]!);
    const spare = Math.max(epsilon ** 2 - distance("l2", best, clean) ** 2, 0) / 3;
    const bump = bumps(side, random);
    for (let channel = 0; channel < 3; channel++) {
      const [target, source] = [pixelsOf(to, channel, size), pixelsOf(from, channel, size)];
      const held = norm([...new Set([...target, ...source])].map((i) => delta[i]!));
      const before = norm(target.map((i) => delta[i]!)) + 1e-12;
      const s = sign(random);
      const mixed = target.map((i, k) => s * bump[k]! + delta[i]! / before);
      const scale = Math.sqrt(spare + held ** 2) / (norm(mixed) + 1e-12);
      for (const i of source) delta[i] = 0;
      target.forEach((i, k) => {
        delta[i] = scale * mixed[k]!;
      });
    }
    return scaledTo(picture, delta);
  },
};

interface Window {
  readonly row: number;
  readonly column: number;
  readonly side: number;
}

function randomWindow(size: number, side: number, random: RandomStream): Window {
  const places = Math.max(size - side, 1);
  return { row: random.below(places), column: random.below(places), side };
}

function pixelsOf({ row, column, side }: Window, channel: number, size: number): number[] {
  const pixels: number[] = [];
  for (let y = row; y < row + side; y++) {
    for (let x = column; x < column + side; x++) pixels.push((channel * size + y) * size + x);
  }
  return pixels;
}

/** clean + delta, its length scaled to epsilon, then clipped. */
function scaledTo({ clean, epsilon }: Picture, delta: Float32Array): Float32Array {
  const scale = epsilon / (lengthIn("l2", delta) + 1e-12);
  return clean.map((x, i) => clipped(x + scale * delta[i]!));
}

/** [side, side] of length 1: a bump above its own negative, or beside it. */
function bumps(side: number, random: RandomStream): readonly number[] {
  const above = Math.floor(side / 2);
  const rows = [...bump(above, side), ...bump(side - above, side).map((x) => -x)];
  const scale = 1 / norm(rows);
  const turned = random.below(2) === 1;
  return rows.map((_, i) => {
    const [row, column] = [Math.floor(i / side), i % side];
    return scale * rows[turned ? column * side + row : i]!;
  });
}

/** Nested rectangles around the middle, the k-th of height 1 / k^2; length 1. */
function bump(rows: number, columns: number): number[] {
  const values = new Array<number>(rows * columns).fill(0);
  const [middleRow, middleColumn] = [Math.floor(rows / 2), Math.floor(columns / 2)];
  for (let ring = 0; ring < Math.max(middleRow, middleColumn) + 1; ring++) {
    for (let y = Math.max(middleRow - ring, 0); y < Math.min(middleRow + ring + 1, rows); y++) {
      for (let x = Math.max(middleColumn - ring, 0); x < Math.min(middleColumn + ring + 1, columns); x++) {
        values[y * columns + x] = values[y * columns + x]! + 1 / (ring + 1) ** 2;
      }
    }
  }
  const scale = 1 / norm(values);
  return values.map((x) => scale * x);
}

function norm(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}
