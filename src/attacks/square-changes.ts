import type { RandomStream } from "../random.ts";
import { clipped, lengthIn } from "./ball.ts";
import { bumps, euclidean } from "./square-bumps.ts";
import { randomWindow, type Window, windowAt } from "./square-window.ts";

/** The image that Square perturbs, and how far. */
interface Picture {
  /** [3, size, size] in [0, 1] */
  readonly clean: Float32Array;
  readonly size: number;
  readonly epsilon: number;
  readonly random: RandomStream;
}

/** How Square perturbs within one norm. Points stay within the ball and [0, 1]. */
interface Changes {
  /** A new image. */
  readonly start: (picture: Picture) => Float32Array;
  /**
   * Writes another square of `side` pixels into the point, which is at `distance` from the clean image.
   *
   * @returns the windows written to
   */
  readonly change: (picture: Picture, point: Float32Array, side: number, distance: number) => readonly Window[];
}

const channels = [0, 1, 2];
const sign = (random: RandomStream): number => (random.below(2) === 0 ? -1 : 1);

/** Every pixel at plus or minus epsilon: vertical stripes first, then squares of one sign a channel. */
export const linfChanges: Changes = {
  start: ({ clean, size, epsilon, random }) => {
    const stripes = Array.from({ length: 3 * size }, () => epsilon * sign(random));
    return clean.map((x, i) => clipped(x + stripes[Math.floor(i / size ** 2) * size + (i % size)]!));
  },
  change: ({ clean, size, epsilon, random }, point, side) => {
    const window = randomWindow(side, size, random);
    for (const channel of channels) {
      const shift = epsilon * sign(random);
      const first = channel * size ** 2;
      // The paper moves by 2 epsilon and projects: from a point of the ball that ends here, whatever the point was.
      for (const at of window) point[first + at] = clipped(clean[first + at]! + shift);
    }
    return [window];
  },
};

/** All of epsilon spent on smooth bumps: every change moves what one window holds into another. */
export const l2Changes: Changes = {
  start: (picture) => {
    const { clean, size, epsilon, random } = picture;
    const delta = new Float32Array(clean.length);
    const side = Math.max(Math.floor(size / 5), 1);
    const first = Math.max(Math.floor((size - 5 * side) / 2), 0);
    for (let row = first; row + side <= size; row += side) {
      for (let column = first; column + side <= size; column += side) {
        const window = windowAt(row, column, side, size);
        const shape = bumps(side, random.below(2) === 1);
        for (const channel of channels) {
          const s = sign(random);
          for (const [k, at] of window.entries()) delta[channel * size ** 2 + at] = s * shape[k]!;
        }
      }
    }
    const scale = epsilon / lengthIn("l2", delta);
    return clean.map((x, i) => clipped(x + scale * delta[i]!));
  },
  change: ({ clean, size, epsilon, random }, point, windowSide, distance) => {
    const side = Math.min(Math.max(windowSide, 3) | 1, size);
    const to = randomWindow(side, size, random);
    const from = randomWindow(side, size, random);
    const shape = bumps(side, random.below(2) === 1);
    // The channels share the part of epsilon that clipping has left unspent.
    const spare = Math.max(epsilon ** 2 - distance ** 2, 0) / 3;
    for (const channel of channels) {
      const s = sign(random);
      const plane = { clean, point, first: channel * size ** 2 };
      const old = take(plane, to);
      const length = euclidean(old);
      // Squared lengths add up: what the windows share is taken once.
      const held = Math.hypot(length, euclidean(take(plane, from)));
      const mixed = old.map((x, k) => s * shape[k]! + x / (length + 1e-12));
      // The paper scales the whole image to epsilon at last; this makes its length epsilon already.
      put(plane, to, mixed, Math.sqrt(spare + held ** 2) / (euclidean(mixed) + 1e-12));
    }
    return [to, from];
  },
};

/** One channel of an image, which begins at `first`. */
interface Plane {
  readonly clean: Float32Array;
  readonly point: Float32Array;
  readonly first: number;
}

/** Sets a window back to the clean image, and returns the perturbation that was there. */
function take({ clean, point, first }: Plane, window: Window): Float64Array {
  const delta = new Float64Array(window.length);
  for (let k = 0; k < window.length; k++) {
    const i = first + window[k]!;
    delta[k] = point[i]! - clean[i]!;
    point[i] = clean[i]!;
  }
  return delta;
}

function put({ clean, point, first }: Plane, window: Window, delta: Float64Array, scale: number): void {
  for (let k = 0; k < window.length; k++) {
    const i = first + window[k]!;
    point[i] = clipped(clean[i]! + scale * delta[k]!);
  }
}
