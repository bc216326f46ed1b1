import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plusFromState } from "pure-rand/generator/xoroshiro128plus";

/** A seeded stream of random numbers: mutable, never shared between two uses. */
export interface RandomStream {
  /** Uniform in [low, high); [0, 1) without arguments. */
  uniform(low?: number, high?: number): number;
  /** Standard normal (Box and Muller 1958). */
  normal(): number;
  /** Uniform integer in 0 ... count - 1; `count` at least 1. */
  below(count: number): number;
  /** One element of a non-empty list. */
  pick<T>(list: readonly T[]): T;
}

/**
 * A stream that depends on every key and on their order: `randomStream(seed, epoch)`, `randomStream(seed, image)`.
 *
 * The keys are hashed (MurmurHash3's mixing, 32 bits) into the whole state of xoroshiro128+, because pure-rand's own
 * seeding leaves the first numbers of neighbouring seeds visibly related.
 *
 * @param keys Numbers of any size (only integers below 2^53 are told apart reliably) or words.
 */
export function randomStream(...keys: readonly (number | string)[]): RandomStream {
  const words = keys.flatMap(toWords);
  const state = [1, 2, 3, 4].map((lane) => finalise(words.reduce(mix, Math.imul(lane, 0x9e3779b1))));
  const generator = xoroshiro128plusFromState(state);
  const stream: RandomStream = {
    uniform: (low = 0, high = 1) => low + (high - low) * uniformFloat64(generator),
    normal: () =>
      Math.sqrt(-2 * Math.log(1 - uniformFloat64(generator))) * Math.cos(2 * Math.PI * uniformFloat64(generator)),
    below: (count) => uniformInt(generator, 0, count - 1),
    pick: (list) => list[stream.below(list.length)]!,
  };
  return stream;
}

/** A new list with the elements of `list` in random order (Fisher-Yates). */
export function shuffle<T>(list: readonly T[], random: RandomStream): T[] {
  const result = [...list];
  for (let last = result.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const moved = result[last]!;
    result[last] = result[other]!;
    result[other] = moved;
  }
  return result;
}

function toWords(key: number | string): number[] {
  if (typeof key === "string") return [key.length, ...Array.from(key, (letter) => letter.codePointAt(0)!)];
  const whole = Math.floor(key);
  const fraction = Math.floor((key - whole) * 2 ** 32);
  return [whole | 0, Math.floor(whole / 2 ** 32) | 0, fraction | 0];
}

/** One round of MurmurHash3 (Austin Appleby, public domain), 32-bit variant. */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function finalise(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
