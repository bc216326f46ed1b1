import { expect, it } from "vitest";
import { secondsOf, spreadOf } from "./timing.ts";

it("takes the middle of an odd number of measurements and the mean of the middle two of an even one", () => {
  expect(spreadOf([9, 1, 10])).toEqual({ median: 9, min: 1, max: 10 });
  expect(spreadOf([10, 9, 1, 4])).toEqual({ median: 6.5, min: 1, max: 10 });
});

it("runs once before it counts", async () => {
  let runs = 0;
  await secondsOf(async () => runs++, 3);
  expect(runs).toBe(4);
});
