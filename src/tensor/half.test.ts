import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHalf, toHalf, widenBfloat16, widenHalf } from "./half.ts";

test("every half comes back as the pattern it was", () => {
  const patterns = Array.from({ length: 0x10000 }, (_, bits) => bits);
  const isNotANumber = (bits: number) => (bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0;
  expect(patterns.filter((bits) => toHalf(fromHalf(bits)) !== (isNotANumber(bits) ? 0x7e00 : bits))).toEqual([]);
});

test.each([
  [0x3c00, 1],
  [0xc000, -2],
  [0x7bff, 65504],
  [0x0001, 2 ** -24],
  [0x0400, 2 ** -14],
  [0x7c00, Number.POSITIVE_INFINITY],
])("pattern %i is %d", (bits, value) => {
  expect(fromHalf(bits)).toBe(value);
});

test("a number becomes the nearest half, the even one of two", () => {
  fc.assert(
    fc.property(fc.nat(0x7bfe), fc.double({ min: 0, max: 1, noNaN: true }), (bits, between) => {
      const [below, above] = [fromHalf(bits), fromHalf(bits + 1)];
      const value = below + between * (above - below);
      const [down, up] = [value - below, above - value];
      const nearest = down < up || (down === up && bits % 2 === 0) ? bits : bits + 1;
      expect(toHalf(value)).toBe(nearest);
      expect(toHalf(-value)).toBe(nearest | 0x8000);
    }),
  );
  expect(toHalf(65519)).toBe(0x7bff);
  expect(toHalf(65520)).toBe(0x7c00);
});

test("bfloat16 is the upper half of a float32", () => {
  expect([...widenBfloat16(Uint16Array.of(0x3f80, 0xc000, 0x7f80))]).toEqual([1, -2, Number.POSITIVE_INFINITY]);
  expect([...widenHalf(Uint16Array.of(0x3c00, 0xc000))]).toEqual([1, -2]);
});

test("many halves are widened as few are", () => {
  const patterns = Uint16Array.from({ length: 70000 }, (_, i) => i & 0xffff);
  const widened = widenHalf(patterns);
  expect(widened).toHaveLength(70000);
  expect(patterns.filter((pattern, i) => !Object.is(widened[i], fromHalf(pattern)))).toHaveLength(0);
});
