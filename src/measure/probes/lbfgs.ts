/** A smooth function's value and gradient at a point. */
export interface Evaluated {
  readonly value: number;
  readonly gradient: Float64Array;
}

export interface MinimizeOptions {
  /** Converged when no component of the gradient is larger than this. */
  readonly tolerance: number;
  readonly maxIterations: number;
}

export interface Minimum extends Evaluated {
  readonly point: Float64Array;
  readonly iterations: number;
  readonly converged: boolean;
}

/** Pairs of steps and gradient changes used to estimate the inverse Hessian. */
const memory = 10;
/** Share of the decrease predicted by the slope that a step must reach (Armijo). */
const sufficient = 1e-4;

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  readonly product: number;
}

/**
 * L-BFGS (Liu and Nocedal 1989) in float64, for convex functions; the step is halved until the value decreases enough,
 * so that values never rise. Ends unconverged where rounding leaves no decrease, or after `maxIterations`.
 */
export async function minimize(
  evaluate: (point: Float64Array) => Promise<Evaluated>,
  start: Float64Array,
  { tolerance, maxIterations }: MinimizeOptions,
): Promise<Minimum> {
  const pairs: Pair[] = [];
  let point = start;
  let now = await evaluate(point);
  for (let iterations = 0; ; iterations++) {
    const converged = now.gradient.every((x) => Math.abs(x) <= tolerance);
    if (converged || iterations === maxIterations) return { ...now, point, iterations, converged };
    const direction = descent(now.gradient, pairs);
    const next = await search(evaluate, point, now, direction, pairs.length === 0 ? 1 / norm(now.gradient) : 1);
    if (!next) return { ...now, point, iterations, converged: false };
    const step = next.point.map((x, i) => x - point[i]!);
    const change = next.gradient.map((x, i) => x - now.gradient[i]!);
    const product = dot(step, change);
    if (product > 0) pairs.push({ step, change, product });
    if (pairs.length > memory) pairs.shift();
    point = next.point;
    now = next;
  }
}

/** The two-loop recursion: minus the estimated inverse Hessian times the gradient. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const direction = gradient.map((x) => -x);
  const shares: number[] = [];
  for (const { step, change, product } of pairs.toReversed()) {
    const share = dot(step, direction) / product;
    addScaled(direction, change, -share);
    shares.unshift(share);
  }
  const last = pairs.at(-1);
  if (last) {
    const scale = last.product / dot(last.change, last.change);
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  for (const [i, { step, change, product }] of pairs.entries())
    addScaled(direction, step, shares[i]! - dot(change, direction) / product);
  return direction;
}

/** Undefined when no step that float64 can resolve decreases the value. */
async function search(
  evaluate: (point: Float64Array) => Promise<Evaluated>,
  point: Float64Array,
  { value, gradient }: Evaluated,
  direction: Float64Array,
  first: number,
): Promise<(Evaluated & { readonly point: Float64Array }) | undefined> {
  const slope = dot(gradient, direction);
  for (let size = first; size > first * 2 ** -40; size /= 2) {
    const candidate = point.map((x, i) => x + size * direction[i]!);
    const found = await evaluate(candidate);
    if (found.value <= value + sufficient * size * slope && found.value < value) return { ...found, point: candidate };
  }
  return undefined;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}

function addScaled(target: Float64Array, values: Float64Array, scale: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += scale * values[i]!;
}
