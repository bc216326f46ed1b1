import { clipped } from "./ball.ts";
import { type AttackDescriptor, attackOf } from "./descriptor.ts";
import type { Found, Origin, Search } from "./search.ts";
import { choice, count } from "./settings.ts";

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

export const noiseAttack = {
  kind: "noise",
  title: "Noise",
  variants: {
    "uniform-noise": { takes: ["restarts"] },
    "gaussian-noise": { fixed: { distribution: "gaussian" }, takes: ["restarts"] },
  },
  settings: {
    distribution: choice(["uniform", "gaussian"], "distribution of the noise"),
    restarts: count(1, "runs an image, the worst counts"),
  },
  gradient: false,
  name: ({ distribution }) => `${distribution}-noise`,
  loss: () => "margin",
  classes: () => 2,
  targets: () => 0,
  points: () => 1,
  norm: ({ distribution }) => (distribution === "uniform" ? "linf" : "none"),
  describe: () => [],
  search: noiseSearch,
} as const satisfies AttackDescriptor<Noise>;

/**
 * Noise with its defaults: uniform, one draw.
 *
 * @throws UsageError when epsilon is outside [0, 1], or another setting is out of its range
 */
export function noise(options: NoiseOptions): Noise {
  return attackOf<Noise>(noiseAttack, options);
}

function* noiseSearch({ distribution, epsilon }: Noise, { clean, random }: Origin): Search {
  const draw = distribution === "uniform" ? () => random.uniform(-epsilon, epsilon) : () => epsilon * random.normal();
  const point = clean.map((x) => clipped(x + draw()));
  const { loss, success } = yield { point };
  return { point, loss, success } satisfies Found;
}
