import { expect, it } from "vitest";
import type { Benchmark, SetResult } from "../results/index.ts";
import { benchmarkBlocks, benchmarkCsv, benchmarkMarkdown, benchmarkTable } from "./benchmark.ts";

const epsilon = 2 / 255;

function result(set: string, clean: number, robust: number): SetResult {
  const attack = { attack: "pgd", norm: "linf", epsilon, accuracy: robust, seconds: 1 } as const;
  return { set, images: 10, classes: 2, clean, attacks: [attack], warnings: [] };
}

const benchmark: Benchmark = {
  suite: "s",
  sets: [
    { name: "imagenet", title: "ImageNet", averaged: false },
    { name: "a", title: "A", averaged: true },
    { name: "b", title: "B|b", averaged: true },
    { name: "gone", title: "Gone", averaged: true },
  ],
  epsilons: [epsilon],
  rows: [
    { encoder: "x", results: [result("imagenet", 0.9, 0.3), result("a", 0.5, 0.25), result("b", 0.7, 0.05)] },
    { encoder: 'y, "z"', results: [result("a", 0.6, 0.125)] },
  ],
  published: [
    {
      encoder: "P",
      source: "paper",
      accuracies: [
        { epsilon: 0, bySet: { a: 0.4, b: 0.2, gone: 0.9 }, average: 0.5 },
        { epsilon: 2, bySet: { a: 0.1 }, average: 0.3 },
      ],
    },
    { encoder: "Q", source: "mean only", accuracies: [{ epsilon: 0, bySet: {}, average: 0.5 }] },
  ],
  missing: [
    { set: "gone", reason: "no network" },
    { set: "b", encoder: 'y, "z"', reason: "no text tower" },
  ],
};

it("averages over the averaged sets that there are, and says over how many", () => {
  const [clean, robust] = benchmarkBlocks(benchmark);
  expect(clean!.sets.map(({ name }) => name)).toEqual(["imagenet", "a", "b"]);
  expect(clean!.averaged).toBe(3);
  expect(clean!.rows.map(({ encoder, average, count }) => [encoder, average, count])).toEqual([
    ["x", expect.closeTo(0.6, 12), 2],
    ['y, "z"', 0.6, 1],
    ["P", expect.closeTo(0.3, 12), 2],
  ]);
  expect(robust!.rows.map(({ accuracies, average }) => [accuracies, average])).toEqual([
    [[0.3, 0.25, 0.05], expect.closeTo(0.15, 12)],
    [[undefined, 0.125, undefined], 0.125],
    // Over one of two columns: no average that could be compared.
    [[undefined, 0.1, undefined], undefined],
  ]);
});

it("shows a printed average only where no set is missing", () => {
  const whole = {
    ...benchmark,
    sets: benchmark.sets.filter(({ name }) => name !== "gone"),
    missing: [],
  };
  const [clean] = benchmarkBlocks(whole);
  expect(clean!.rows.at(-1)).toEqual({
    ...{ encoder: "Q", source: "mean only", average: 0.5, count: 2 },
    accuracies: [undefined, undefined, undefined],
  });
});

it("is a table with what is published and what is missing", () => {
  expect(benchmarkTable(benchmark)).toBe(
    [
      "clean              ImageNet     A   B|b            Avg",
      "-----------------  --------  ----  ----  -------------",
      "x                      90.0  50.0  70.0  60.0 (2 of 3)",
      'y, "z"                    -  60.0     -  60.0 (1 of 3)',
      "P (published [1])         -  40.0  20.0  30.0 (2 of 3)",
      "",
      "epsilon 2/255      ImageNet     A  B|b            Avg",
      "-----------------  --------  ----  ---  -------------",
      "x                      30.0  25.0  5.0  15.0 (2 of 3)",
      'y, "z"                    -  12.5    -  12.5 (1 of 3)',
      "P (published [1])         -  10.0    -              -",
      "",
      "[1] published, not measured here: paper",
      "Accuracy in %. Avg: mean over the sets without ImageNet.",
      "10 images a set, pgd linf: ImageNet, A, B|b",
      "Missing: 1 of 4 sets; 1 of 4 sets for some encoders.",
      "  gone: no network",
      '  b for y, "z": no text tower',
    ].join("\n"),
  );
});

it("is Markdown", () => {
  const lines = benchmarkMarkdown(benchmark).split("\n");
  expect(lines.slice(0, 4)).toEqual([
    "| clean | ImageNet | A | B\\|b | Avg |",
    "| --- | ---: | ---: | ---: | ---: |",
    "| x | 90.0 | 50.0 | 70.0 | 60.0 (2 of 3) |",
    '| y, "z" | - | 60.0 | - | 60.0 (1 of 3) |',
  ]);
  expect(lines.slice(-2)).toEqual(["- gone: no network", '- b for y, "z": no text tower']);
});

it("is CSV", () => {
  expect(benchmarkCsv(benchmark).split("\n")).toEqual([
    "epsilon,encoder,source,imagenet,a,b,average,averaged sets",
    "0,x,measured,0.9,0.5,0.7,0.6,2",
    '0,"y, ""z""",measured,,0.6,,0.6,1',
    "0,P,paper,,0.4,0.2,0.3,2",
    "2/255,x,measured,0.3,0.25,0.05,0.15,2",
    '2/255,"y, ""z""",measured,,0.125,,0.125,1',
    "2/255,P,paper,,0.1,,,0",
  ]);
});
