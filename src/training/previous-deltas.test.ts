import { describe, expect, test } from "vitest";
import { innerAttack } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { randomStream } from "../random.ts";
import { randomImages } from "../testing/tiny.ts";
import { PreviousDeltas } from "./previous-deltas.ts";

const size = 4;
const length = 3 * size * size;
const epsilon = 8 / 255;
const attack = innerAttack({ epsilon, start: "previous" });
const random = randomStream("deltas");
const clean = randomImages(2, { size });
const perturbed = (from: Float32Array): Float32Array =>
  from.map((x) => Math.min(Math.max(x + random.uniform(-epsilon, epsilon), 0), 1));
const untouched = (): Float32Array => new Float32Array(length).fill(7);

const cleanOf = (i: number): Float32Array => clean.subarray(i * length, (i + 1) * length);

describe("previous perturbations", () => {
  test("none: the start stays as it was given", () => {
    const out = untouched();
    new PreviousDeltas(attack, [3, 9], size).start(9, cleanOf(0), out);
    expect(out).toEqual(untouched());
  });

  test("come back image by image, rounded to one of 255 levels", () => {
    const deltas = new PreviousDeltas(attack, [3, 9, 4], size);
    const adversarial = perturbed(clean);
    deltas.keepAll([9, 3], clean, adversarial);
    const out = new Float32Array(clean.length);
    deltas.startAll([9, 3], clean, out);
    // Half a level of the largest, and float32's rounding.
    for (const [i, x] of out.entries()) expect(Math.abs(x - adversarial[i]!)).toBeLessThan(epsilon / 254 + 1e-6);
    const swapped = untouched();
    deltas.start(3, cleanOf(1), swapped);
    expect(swapped).toEqual(out.slice(length));
    const third = untouched();
    deltas.start(4, cleanOf(0), third);
    expect(third).toEqual(untouched());
  });

  test.each(["linf", "l2"] as const)("%s: of an image that has changed stay in the ball and in [0, 1]", (norm) => {
    const small = innerAttack({ epsilon, norm, start: "previous" });
    const deltas = new PreviousDeltas(small, [0], size);
    const adversarial = perturbed(cleanOf(0));
    deltas.keep(0, cleanOf(0), adversarial);
    const other = randomImages(1, { size, seed: 5 });
    other.set([0, 1]);
    const out = untouched();
    deltas.start(0, other, out);
    const moved = out.map((x, i) => x - other[i]!);
    const far = norm === "l2" ? Math.hypot(...moved) : Math.max(...moved.map(Math.abs));
    expect(far).toBeLessThan(epsilon + 1e-6);
    expect(far).toBeGreaterThan(epsilon / 2);
    expect(out.every((x) => x >= 0 && x <= 1)).toBe(true);
  });

  test("no perturbation is one, too; a later one replaces it", () => {
    const deltas = new PreviousDeltas(attack, [0], size);
    deltas.keep(0, cleanOf(0), cleanOf(0));
    const out = untouched();
    deltas.start(0, cleanOf(0), out);
    expect(out).toEqual(cleanOf(0).slice());
    const adversarial = perturbed(cleanOf(0));
    deltas.keep(0, cleanOf(0), adversarial);
    deltas.start(0, cleanOf(0), out);
    expect(Math.max(...out.map((x, i) => Math.abs(x - adversarial[i]!)))).toBeLessThan(epsilon / 254 + 1e-6);
  });

  test("go on from a checkpoint as if there had been none", () => {
    const [first, second] = [new PreviousDeltas(attack, [5, 6], size), new PreviousDeltas(attack, [5, 6], size)];
    first.keep(6, cleanOf(1), perturbed(cleanOf(1)));
    second.restore(first.state());
    for (const image of [5, 6]) {
      const [a, b] = [untouched(), untouched()];
      first.start(image, cleanOf(1), a);
      second.start(image, cleanOf(1), b);
      expect(b).toEqual(a);
    }
  });

  test("too many images, and one that was not announced, are refused", () => {
    const many = Array.from({ length: 15_000 }, (_, i) => i);
    expect(() => new PreviousDeltas(attack, many, 224)).toThrow(UsageError);
    expect(() => new PreviousDeltas(attack, many, 224)).toThrow(/15000 images take 2\.11 GiB.*2 GiB.*--limit/);
    const deltas = new PreviousDeltas(attack, [1], size);
    expect(() => deltas.start(2, cleanOf(0), untouched())).toThrow(/Image 2/);
  });
});
