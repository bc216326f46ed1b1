import { distance } from "./ball.ts";
import type { Found, Query, Search } from "./search.ts";
import type { ThreatModel } from "./threat.ts";

/**
 * The search under a stricter threat model: every point is rounded to the 256 levels of an image file before it is
 * evaluated, so that the result survives being saved. Gradients pass through the rounding.
 *
 * Rounding never leads out of the ball. Where a pixel of the clean image lies between levels (it was resized) and none of
 * them is within reach, it stays as it is.
 */
export function* quantized(search: Search, threat: ThreatModel | undefined, clean: Float32Array): Search {
  const round = <T extends Query | Found>(at: T): T => ({ ...at, point: rounded(at.point, clean, threat) });
  let next = search.next(undefined as never);
  while (!next.done) next = search.next(yield round(next.value));
  return round(next.value);
}

function rounded(point: Float32Array, clean: Float32Array, threat: ThreatModel | undefined): Float32Array {
  if (!threat) return point.map((x) => Math.round(x * 255) / 255);
  return threat.norm === "linf" ? roundedInBox(point, clean, threat.epsilon) : roundedInBall(point, clean, threat);
}

/** Beyond the rounding of float32 at the ball's edge, far below a level. */
const slack = 1e-6;

/** To the nearest level; where that is too far from the clean pixel, to the level before it. */
function roundedInBox(point: Float32Array, clean: Float32Array, epsilon: number): Float32Array {
  return point.map((x, i) => {
    const from = clean[i]!;
    const reach = Math.max(epsilon, Math.abs(x - from)) + slack;
    const nearest = Math.round(x * 255);
    const levels = [nearest, nearest - Math.sign(nearest / 255 - from)];
    const level = levels.find((level) => Math.abs(level / 255 - from) <= reach);
    return level === undefined ? from : level / 255;
  });
}

/**
 * Each pixel to the level on either side, away from the clean one only where the point is that near to it: half way, or
 * as much nearer as the ball demands.
 */
function roundedInBall(point: Float32Array, clean: Float32Array, { norm, epsilon }: ThreatModel): Float32Array {
  const reach = Math.max(epsilon, distance(norm, point, clean));
  const at = (share: number): Float32Array => point.map((x, i) => towards(x, clean[i]!, share));
  let best = at(0.5);
  if (distance(norm, best, clean) <= reach) return best;
  let [outside, inside] = [0.5, 1];
  best = at(inside);
  // The share to a thousandth.
  for (let halving = 0; halving < 9; halving++) {
    const share = (outside + inside) / 2;
    const tried = at(share);
    if (distance(norm, tried, clean) > reach) outside = share;
    else [inside, best] = [share, tried];
  }
  return best;
}

/**
 * @param share of the way between the two levels around x from which on it becomes the one farther from the clean pixel
 * @returns that level, or the nearer one; the clean pixel where it comes before the nearer one
 */
function towards(x: number, clean: number, share: number): number {
  const away = x < clean ? -1 : 1;
  // Levels counted away from the clean pixel, so that rounding down is rounding towards it.
  const [at, from] = [snapped(away * x * 255), snapped(away * clean * 255)];
  const nearer = Math.max(Math.floor(at), from);
  const farther = Math.floor(at) + 1;
  if (at > nearer && (at - nearer) / (farther - nearer) >= share) return (away * farther) / 255;
  return nearer === from ? clean : (away * nearer) / 255;
}

/** A level that float32 missed by its rounding. */
function snapped(levels: number): number {
  const nearest = Math.round(levels);
  return Math.abs(levels - nearest) < 255 * slack ? nearest : levels;
}
