import { UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import { type Apgd, apgdSearch } from "./apgd.ts";
import { apgdL1Search } from "./apgd-l1.ts";
import type { Plan } from "./drive.ts";
import { type Fab, fabSearch } from "./fab.ts";
import { type Noise, noiseSearch } from "./noise.ts";
import { type Pgd, pgdSearch } from "./pgd.ts";
import { quantized } from "./quantized.ts";
import type { Origin, Search } from "./search.ts";
import { type Square, squareSearch } from "./square.ts";
import type { AttackLoss } from "./target.ts";

/** The settings of one attack. */
export type Attack = Pgd | Apgd | Fab | Square | Noise;

/** As it is known: `apgd-ce`, `apgd-t`, `fab-t`, `square` ... */
export function attackName(attack: Attack): string {
  switch (attack.kind) {
    case "apgd":
      return attack.loss === "targeted-dlr" ? "apgd-t" : `apgd-${attack.loss}`;
    case "pgd":
      return attack.loss === "ce" ? "pgd" : `pgd-${attack.loss}`;
    case "fab":
      return attack.targeted ? "fab-t" : "fab";
    case "noise":
      return `${attack.distribution}-noise`;
    default:
      return attack.kind;
  }
}

/** The loss that an attack asks for, and whether it needs its gradient. */
export function attackLoss(attack: Attack): { readonly loss: AttackLoss; readonly gradient: boolean } {
  switch (attack.kind) {
    case "pgd":
    case "apgd":
      return { loss: attack.loss, gradient: true };
    case "fab":
      return { loss: "targeted-margin", gradient: true };
    case "square":
    case "noise":
      return { loss: "margin", gradient: false };
  }
}

/**
 * Classes that an attack needs: another one to be taken for; the DLR loss compares the label with the third largest logit,
 * the targeted one also with the fourth.
 */
export function classesNeeded(attack: Attack): number {
  if (attack.kind !== "apgd" && attack.kind !== "pgd") return 2;
  return { ce: 2, dlr: 3, "targeted-dlr": 4, "embedding-l2": 1, "embedding-cosine": 1 }[attack.loss];
}

/** Classes that an attack aims at one after the other, among so many; 1 where it does not aim. */
export function targetCount(attack: Attack, classes = Infinity): number {
  const aims = (attack.kind === "fab" && attack.targeted) || (attack.kind === "apgd" && attack.loss === "targeted-dlr");
  return aims ? Math.min(attack.targets, classes - 1) : 1;
}

/** The images of a plan. */
export interface Images {
  /** [count, 3, S, S] in [0, 1] */
  readonly clean: Float32Array;
  readonly count: number;
  /** What makes each image's random numbers, together with the seed; one number an image. */
  readonly keys: readonly number[];
  readonly seed: number;
  /** Where the first run of each image starts, instead of at a point of its own; shaped as `clean`. */
  readonly starts?: Float32Array;
  /** Each image's classes besides its label, the likeliest first: what targeted attacks aim at. */
  readonly others?: (image: number) => readonly number[];
  /** Classes there are; targeted attacks aim at no more than the others. */
  readonly classes?: number;
  /** Round every point to the 256 levels of an image file. */
  readonly quantize?: boolean;
}

/** An attack's searches on these images: for each target all restarts, then the next target. */
export function planOf(attack: Attack, images: Images): Plan {
  const { clean, count, keys, seed, starts, others, classes = Infinity, quantize = false } = images;
  const aims = attackLoss(attack).loss.startsWith("targeted");
  if (aims && !others) throw new UsageError(`${attackName(attack)} needs each image's other classes to aim at.`);
  const name = attackName(attack);
  const size = count === 0 ? 0 : clean.length / count;
  const part = (all: Float32Array, image: number): Float32Array => all.subarray(image * size, (image + 1) * size);
  return {
    runs: attack.restarts * targetCount(attack, classes),
    eot: attack.kind === "apgd" ? attack.eot : 1,
    begin: (image, run) => {
      const [rank, restart] = [Math.floor(run / attack.restarts), run % attack.restarts];
      const origin: Origin = {
        clean: part(clean, image),
        random: randomStream(seed, name, keys[image]!, restart, ...(rank > 0 ? [rank] : [])),
        ...(starts && run === 0 && { start: part(starts, image) }),
      };
      const search = searchOf(attack, origin, others?.(image) ?? [], rank, restart);
      return quantize ? quantized(search, attack.kind === "noise" ? undefined : attack, origin.clean) : search;
    },
  };
}

function searchOf(attack: Attack, origin: Origin, others: readonly number[], rank: number, restart: number): Search {
  switch (attack.kind) {
    case "pgd":
      return pgdSearch(attack, origin);
    case "apgd": {
      const target = attack.loss === "targeted-dlr" ? others[rank] : undefined;
      const { norm } = attack;
      return norm === "l1"
        ? apgdL1Search({ ...attack, norm }, origin, target)
        : apgdSearch({ ...attack, norm }, origin, target);
    }
    case "fab":
      return fabSearch(attack, origin, attack.targeted ? [others[rank]!] : others, restart);
    case "square":
      return squareSearch(attack, origin);
    case "noise":
      return noiseSearch(attack, origin);
  }
}
