import { expect, test } from "vitest";
import { bumps, euclidean } from "./square-bumps.ts";

test("3 by 3, by hand: a bump of one row above one of two", () => {
  // Heights 1 + 1/4 in the middle and 1/4 around it, each bump of length 1.
  const above = [1, 5, 1].map((x) => x / Math.sqrt(27));
  const below = [1, 1, 1, 1, 5, 1].map((x) => -x / Math.sqrt(30));
  const wanted = [...above, ...below].map((x) => expect.closeTo(x / Math.SQRT2, 12));
  expect([...bumps(3, false)]).toEqual(wanted);
  expect([...bumps(3, true)]).toEqual([0, 3, 6, 1, 4, 7, 2, 5, 8].map((i) => wanted[i]));
});

test("a middle on every ring: 1 + 1/4 + 1/9 + ... at the peak", () => {
  const values = bumps(9, false);
  // The upper bump has 4 rows and 9 columns: rings 0 ... 4 around row 2, column 4.
  const [peak, edge] = [values[2 * 9 + 4]!, values[2 * 9 + 8]!];
  expect(peak / edge).toBeCloseTo((1 + 1 / 4 + 1 / 9 + 1 / 16 + 1 / 25) * 25, 10);
});

test("length 1 at every side", () => {
  for (let side = 1; side <= 20; side++) {
    for (const beside of [false, true]) expect(euclidean(bumps(side, beside))).toBeCloseTo(1, 12);
  }
});
