import { UsageError } from "../errors.ts";
import { clipped } from "./ball.ts";
import type { Found, Origin, Search } from "./search.ts";
import { checkPositiveCount } from "./threat.ts";

/** Random noise, the baseline of every attack: what chance alone breaks. */
export interface Noise {
  readonly kind: "noise";
  /** "uniform" in [-epsilon, epsilon], or "gaussian" of standard deviation epsilon, pixel by pixel; then clipped to [0, 1]. */
  readonly distribution: "uniform" | "gaussian";
  readonly epsilon: number;
  /** Draws an image; the worst counts. */
  readonly restarts: number;
}

export type NoiseOptions = Partial<Omit<Noise, "kind" | "epsilon">> & Pick<Noise, "epsilon">;

/** @throws UsageError when epsilon is outside [0, 1], or restarts no positive integer */
export function noise(options: NoiseOptions): Noise {
  const attack: Noise = { kind: "noise", distribution: "uniform", restarts: 1, ...options };
  if (!(attack.epsilon >= 0 && attack.epsilon <= 1))
    throw new UsageError(`Noise: epsilon ${attack.epsilon} is outside [0, 1]; write 2/255, not 2.`);
  checkPositiveCount("Noise", "restarts", attack.restarts);
  return attack;
}

export function* noiseSearch({ distribution, epsilon }: Noise, { clean, random }: Origin): Search {
  const draw = distribution === "uniform" ? () => random.uniform(-epsilon, epsilon) : () => epsilon * random.normal();
  const point = clean.map((x) => clipped(x + draw()));
  const { loss, success } = yield { point };
  return { point, loss, success } satisfies Found;
}
