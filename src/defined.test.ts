import { expect, expectTypeOf, test } from "vitest";
import { defined } from "./defined.ts";

test("undefined fields are dropped; null, false, 0 and empty texts stay", () => {
  const fields = { a: undefined, b: null, c: false, d: 0, e: "" };
  expect(Object.entries(defined(fields))).toEqual([
    ["b", null],
    ["c", false],
    ["d", 0],
    ["e", ""],
  ]);
});

test("a field that may be undefined becomes one that may be absent", () => {
  const limit = [3].at(0);
  const strict = [true as const].at(1);
  const options: { readonly limit?: number; readonly strict?: true; readonly batch: number } = defined({
    limit,
    strict,
    batch: 16,
  });
  expect(options).toEqual({ limit: 3, batch: 16 });
  expectTypeOf(defined({ limit, kind: "relative" })).toEqualTypeOf<{
    readonly limit?: number;
    readonly kind: "relative";
  }>();
});
