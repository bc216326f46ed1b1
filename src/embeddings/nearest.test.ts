import { expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { nearestIn } from "./nearest.ts";
import type { EmbeddingTable } from "./table.ts";

function table(rows: readonly (readonly number[])[]): EmbeddingTable {
  return { names: rows.map((_, i) => String(i)), size: rows[0]!.length, values: Float32Array.from(rows.flat()) };
}

test("the nearest first, by angle and not by length; of equal ones the earlier", () => {
  const index = table([
    [0, 2],
    [4, 4],
    [0.1, 0],
    [-1, 0],
    [2, 2],
  ]);
  const [found] = nearestIn(index, table([[7, 0]]), 4);
  expect(found!.map(({ name }) => name)).toEqual(["2", "1", "4", "0"]);
  // Cosines in closed form: 0, 45 and 90 degrees; powers of two keep equal ones equal.
  expect(found!.map(({ cosine }) => cosine)).toEqual(
    [1, Math.SQRT1_2, Math.SQRT1_2, 0].map((x) => expect.closeTo(x, 6)),
  );
});

test("all where fewer are there than asked for; zeros are near to nothing", () => {
  expect(nearestIn(table([[0, 0]]), table([[1, 2]]), 3)).toEqual([[{ name: "0", cosine: 0 }]]);
  expect(nearestIn(table([[1, 2]]), table([[0, 0]]), 3)).toEqual([[{ name: "0", cosine: 0 }]]);
});

test("the same as sorting all cosines", () => {
  const random = randomStream("nearest");
  const draw = (count: number) =>
    table(Array.from({ length: count }, () => Array.from({ length: 5 }, () => random.normal())));
  const [index, queries] = [draw(60), draw(7)];
  const unit = ({ values, size }: EmbeddingTable, i: number): number[] => {
    const row = [...values.subarray(i * size, (i + 1) * size)];
    return row.map((x) => x / Math.hypot(...row));
  };
  const expected = queries.names.map((_, q) => {
    const query = unit(queries, q);
    const all = index.names.map((name, i) => ({
      name,
      cosine: unit(index, i).reduce((sum, x, d) => sum + x * query[d]!, 0),
    }));
    return all
      .sort((a, b) => b.cosine - a.cosine)
      .slice(0, 10)
      .map(({ name }) => name);
  });
  expect(nearestIn(index, queries, 10).map((found) => found.map(({ name }) => name))).toEqual(expected);
});
