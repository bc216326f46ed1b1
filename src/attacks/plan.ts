import { UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import type { AnyAttack } from "./descriptor.ts";
import { quantized } from "./quantized.ts";
import { type Attack, attackName, kindOf, targetCount } from "./registry.ts";
import type { Plan } from "./scheduler.ts";
import type { Origin } from "./search.ts";
import { isTargeted } from "./target.ts";

/** The images of a plan. */
export interface Images {
  /** [count, 3, S, S] in [0, 1] */
  readonly clean: Float32Array;
  readonly count: number;
  /** One number an image; it makes the image's random numbers, together with the seed. */
  readonly keys: readonly number[];
  readonly seed: number;
  /** Where the first run of each image starts, instead of at a point of its own; shaped as `clean`. */
  readonly starts?: Float32Array;
  /** Each image's classes besides its label, the likeliest first: targeted attacks aim at these. */
  readonly others?: (image: number) => readonly number[];
  /** Number of classes; targeted attacks aim at all but one of them at most. */
  readonly classes?: number;
  /** Round every point to the 256 levels of an image file. */
  readonly quantize?: boolean;
}

/**
 * An attack's searches on these images: for each target all restarts, then the next target.
 *
 * @throws UsageError when a targeted attack has no classes to aim at
 */
export function planOf(attack: Attack, images: Images): Plan {
  const { clean, count, keys, seed, starts, others, classes = Infinity, quantize = false } = images;
  const { norm, eot = 1, epsilon, restarts }: AnyAttack = attack;
  const kind = kindOf(attack);
  const name = attackName(attack);
  if (isTargeted(kind.loss(attack)) && !others)
    throw new UsageError(`${name} needs each image's other classes to aim at.`);
  const size = count === 0 ? 0 : clean.length / count;
  const imageOf = (all: Float32Array, image: number): Float32Array => all.subarray(image * size, (image + 1) * size);
  return {
    runs: restarts * targetCount(attack, classes),
    eot,
    begin: (image, run) => {
      const [rank, restart] = [Math.floor(run / restarts), run % restarts];
      const origin: Origin = {
        clean: imageOf(clean, image),
        random: randomStream(seed, name, keys[image]!, restart, ...(rank > 0 ? [rank] : [])),
        ...(starts && run === 0 && { start: imageOf(starts, image) }),
      };
      const search = kind.search(attack, origin, { others: others?.(image) ?? [], rank, restart });
      return quantize ? quantized(search, norm && { norm, epsilon }, origin.clean) : search;
    },
  };
}
