import { describe, expect, test } from "vitest";
import { blend } from "../blending/index.ts";
import { synthetic } from "../data/index.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { RecognitionCheck, recognized } from "./recognition.ts";
import { verdictOf } from "./verdict.ts";

describe("recognized", () => {
  // Around their mean, [0, 0], these four lie on the axes.
  const original = Float32Array.of(1, 0, -1, 0, 0, 1, 0, -1);

  test("the nearest original by cosine is one's own, at any length", () => {
    expect(recognized(original, original, 2)).toEqual([true, true, true, true]);
    const moved = Float32Array.of(9, 8, -1, -2, 0, 0.1, 1, -2);
    expect(recognized(original, moved, 2)).toEqual([true, false, true, true]);
  });

  test("between two originals, at zero, or not finite: not recognised", () => {
    expect(recognized(original, Float32Array.of(1, 1, 0, 0, Number.NaN, 0, 0, -1), 2)).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });
});

describe("the check of an encoder", () => {
  const source = synthetic({ count: 40, seed: 3 });
  const indices = source.items.map((_, i) => i);
  const options = { seed: 0, batch: 8, threads: 1 };

  test("the original recognises every clean image; at epsilon 0 the attack does nothing", async () => {
    const encoder = tinyEncoder();
    const check = (await RecognitionCheck.open(encoder, source, indices, { ...options, epsilon: 0 }))!;
    const { clean, attacked } = await check.under(encoder.parameters);
    expect(clean).toEqual(Array(40).fill(true));
    expect(attacked).toEqual(clean);
  });

  test("a large attack leaves few; weights of zero recognise one at most; the same again is the same", async () => {
    const encoder = tinyEncoder();
    const check = (await RecognitionCheck.open(encoder, source, indices, { ...options, epsilon: 0.5 }))!;
    const first = await check.under(encoder.parameters);
    expect(first.attacked.filter(Boolean).length).toBeLessThan(20);
    expect(await check.under(encoder.parameters)).toEqual(first);
    const zero = encoder.withParameters(
      new Map([...encoder.parameters].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.map(() => 0) }])),
    );
    const nothing = await check.under(blend(encoder, zero, 1).parameters);
    // One embedding for all images is nearest to one of them.
    expect(nothing.clean.filter(Boolean).length).toBeLessThanOrEqual(1);
  });

  test("fewer than 32 images make none", async () => {
    const check = RecognitionCheck.open(tinyEncoder(), source, indices.slice(0, 31), { ...options, epsilon: 0.1 });
    expect(await check).toBeUndefined();
  });
});

describe("verdicts", () => {
  const flags = (right: number): readonly boolean[] => Array.from({ length: 64 }, (_, i) => i < right);
  const of = (clean: number, attacked: number) => ({ clean: flags(clean), attacked: flags(attacked) });

  test("a gain beyond chance is more robust, whatever its size", () => {
    expect(verdictOf(of(64, 2), of(63, 20))).toMatchObject({ kind: "more-robust", images: 64 });
    // Six images gained and none lost: p = 2 / 2^6, below 0.05; five: above.
    expect(verdictOf(of(64, 2), of(64, 8)).kind).toBe("more-robust");
    expect(verdictOf(of(64, 2), of(64, 7)).kind).toBe("not-yet");
    expect(verdictOf(of(64, 20), of(64, 2)).kind).toBe("not-yet");
  });

  test("an encoder that no longer tells images apart has collapsed, also where it does so under attack", () => {
    expect(verdictOf(of(64, 2), of(31, 31)).kind).toBe("collapsed");
  });
});
