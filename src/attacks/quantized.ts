import type { Found, Query, Search } from "./search.ts";
import type { ThreatModel } from "./threat.ts";

/**
 * The search under a stricter threat model: every point is rounded to the 256 levels of an image file before it is looked
 * at, so that what is found survives being saved. Gradients pass through the rounding.
 */
export function* quantized(search: Search, threat: ThreatModel | undefined, clean: Float32Array): Search {
  const round = <T extends Query | Found>(at: T): T => ({ ...at, point: rounded(at.point, clean, threat) });
  let next = search.next(undefined as never);
  while (!next.done) next = search.next(yield round(next.value));
  return round(next.value);
}

/** To the nearest level; where that leaves the l-inf ball, to the level beside it on the clean image's side. */
function rounded(point: Float32Array, clean: Float32Array, threat: ThreatModel | undefined): Float32Array {
  // Beyond the rounding of float32 at the ball's edge.
  const reach = threat?.norm === "linf" ? threat.epsilon + 1e-6 : Number.POSITIVE_INFINITY;
  return point.map((x, i) => {
    const level = Math.round(x * 255);
    const off = level / 255 - clean[i]!;
    return (Math.abs(off) > reach ? level - Math.sign(off) : level) / 255;
  });
}
