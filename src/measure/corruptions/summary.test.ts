import { expect, it } from "vitest";
import { meanError } from "./summary.ts";

const reference = [
  { corruption: "fog", accuracies: [0.9, 0.7] },
  { corruption: "snow", accuracies: [1, 1] },
  { corruption: "contrast", accuracies: [0.75, 0.5] },
  { corruption: "saturate", accuracies: [0.5, 0.5] },
];

it("is the mean of the ratios of summed errors, without extra corruptions and those the reference never errs under", () => {
  const rows = [
    { corruption: "fog", accuracies: [0.8, 0.6] },
    { corruption: "snow", accuracies: [0, 0] },
    { corruption: "contrast", accuracies: [1, 1] },
    { corruption: "saturate", accuracies: [0, 0] },
  ];
  // fog: (0.2 + 0.4) / (0.1 + 0.3); contrast: 0 / 0.75.
  expect(meanError(rows, reference)).toBeCloseTo((1.5 + 0) / 2, 12);
  expect(meanError(reference, reference)).toBe(1);
});

it("is absent where there is nothing to compare with", () => {
  expect(meanError(reference.slice(1, 2), reference.slice(1, 2))).toBeUndefined();
  expect(meanError(reference.slice(3), reference.slice(3))).toBeUndefined();
  expect(meanError([], [])).toBeUndefined();
});
