import fc from "fast-check";
import { expect, it } from "vitest";
import { apart } from "./labels.ts";

it("leaves places alone that are far enough apart", () => {
  expect(apart([0, 20, 40], 16)).toEqual([0, 0, 0]);
});

it("moves those that touch around their middle, in their order", () => {
  expect(apart([100, 100], 16)).toEqual([-8, 8]);
  // 10, 12 and 30 would touch one after the other: all around their mean.
  expect(apart([12, 10, 30], 16).map((shift, i) => [12, 10, 30][i]! + shift)).toEqual([
    52 / 3,
    52 / 3 - 16,
    52 / 3 + 16,
  ]);
});

it("keeps the last above the end", () => {
  expect(apart([100, 100], 16, 100)).toEqual([-16, 0]);
  expect(apart([104], 16, 100)).toEqual([-4]);
});

it("leaves none nearer than the gap, whatever the places", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 9 }), (places) => {
      const moved = places.map((place, i) => place + apart(places, 16, 300)[i]!).sort((a, b) => a - b);
      return moved.every((place, i) => place <= 300 + 1e-9 && (i === 0 || place - moved[i - 1]! >= 16 - 1e-9));
    }),
  );
});
