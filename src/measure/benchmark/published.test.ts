import { describe, expect, it, test } from "vitest";
import { allPublished, publishedRows } from "./published.ts";
import { readSuite } from "./read.ts";

const { averaged, rows } = allPublished();
const whole = rows.flatMap(({ encoder, source, accuracies }) =>
  accuracies.filter(({ bySet }) => averaged.every((name) => name in bySet)).map((at) => ({ encoder, source, ...at })),
);

describe("the mean of 13 sets is the one that is printed", () => {
  it("is checked for all of LORE's tables", () => {
    // Table 11: CLIP, and FARE and LORE trained at six sizes, in four blocks; table 12: six of them in three.
    expect(averaged).toHaveLength(13);
    expect(whole).toHaveLength(13 * 4 + 6 * 3);
  });

  test.each(whole)("$encoder at $epsilon, $source", ({ encoder, epsilon, bySet, average }) => {
    const mean = averaged.reduce((sum, name) => sum + 100 * bySet[name]!, 0) / averaged.length;
    // Cells are rounded to 0.1, so their mean is off by 0.008 (one standard deviation), and so is the printed one by up to
    // 0.05: together 0.075 at three deviations. One printed average is further off; it is kept as printed.
    const off = Math.abs(mean - 100 * average!);
    if (encoder === "LORE^8 ViT-B/32" && epsilon === 2) expect(off).toBeCloseTo(0.092, 3);
    else expect(off).toBeLessThan(0.075);
  });
});

test("figures are shares of a known set, at a size that was published", () => {
  for (const { encoder, accuracies } of rows) {
    for (const { epsilon, bySet, average } of accuracies) {
      expect([0, 1, 2, 4, 6, 8, 10], encoder).toContain(epsilon);
      for (const figure of [average!, ...Object.values(bySet)]) expect(figure).toBeGreaterThanOrEqual(0);
      for (const figure of [average!, ...Object.values(bySet)]) expect(figure).toBeLessThan(1);
    }
    // More epsilon leaves no more images: a figure in the wrong block would show.
    const averages = accuracies.map(({ average }) => average!);
    expect(averages, encoder).toEqual([...averages].sort((a, b) => b - a));
  }
});

describe("for a suite", () => {
  const suite = readSuite("zeroshot-13");

  it("only its sets and sizes are shown, averages only where they are over the same sets", () => {
    const found = publishedRows(suite);
    const lore = found.find(({ encoder }) => encoder === "LORE^4 ViT-B/32")!;
    expect(lore.accuracies.map(({ epsilon }) => epsilon)).toEqual([0, 1, 2, 4]);
    expect(lore.accuracies[2]).toMatchObject({ average: 0.35, bySet: { imagenet: 0.326, stl10: 0.761, pcam: 0.501 } });
    expect(found.find(({ encoder }) => encoder === "TeCoA^4 ViT-B/32")?.accuracies.at(-1)).toEqual({
      epsilon: 4,
      bySet: {},
      average: 0.236,
    });

    const part = { ...suite, sets: suite.sets.filter(({ name }) => ["stl10", "imagenet"].includes(name)) };
    const rest = publishedRows(part);
    expect(rest.flatMap(({ accuracies }) => accuracies).every((at) => !("average" in at))).toBe(true);
    expect(rest.map(({ encoder }) => encoder)).not.toContain("TeCoA^4 ViT-B/32");
    const fare = rest.find(({ encoder, source }) => encoder === "FARE^4 ViT-B/32" && source.startsWith("FARE"))!;
    expect(fare.accuracies.map(({ bySet }) => bySet)).toEqual([
      { imagenet: 0.511 },
      { imagenet: 0.296 },
      { imagenet: 0.148 },
    ]);
  });

  it("nothing is shown for other sets", () => {
    expect(publishedRows(readSuite("tiny"))).toEqual([]);
  });
});
