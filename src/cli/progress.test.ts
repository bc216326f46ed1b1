import { afterEach, expect, test, vi } from "vitest";
import { ProgressLine } from "./progress.ts";

afterEach(() => vi.restoreAllMocks());

/** The output of a progress line that is told at these seconds how many of 10 are done. */
function written(updates: Readonly<Record<number, number>>): readonly string[] {
  const lines: string[] = [];
  vi.spyOn(process.stderr, "write").mockImplementation((text) => lines.push(`${text}`) > 0);
  const clock = vi.spyOn(performance, "now");
  const progress = new ProgressLine();
  for (const [second, done] of Object.entries(updates)) {
    clock.mockReturnValue(1000 * Number(second));
    progress.update("steps", done, 10);
  }
  return lines.map((line) => line.trimEnd().replace(/^steps {2}| {2}\[.*$/g, ""));
}

test("what is left takes as long as what was done since the line began", () => {
  expect(written({ 0: 0, 20: 2, 50: 5 })).toEqual(["0/10", "2/10  1 min 20 s left", "5/10  50 s left"]);
});

test("where something was done before the line began, the time of that is unknown", () => {
  expect(written({ 100: 1, 120: 2 })).toEqual(["1/10", "2/10  2 min 40 s left"]);
  expect(written({ 7: 8, 20: 9, 40: 10 })).toEqual(["8/10", "9/10  13 s left", "10/10  0 s left"]);
});

test("a line every ten seconds where there is no terminal, and the last", () => {
  const updates = { 0: 0, 5: 1, 9: 2, 10: 3, 11: 10 };
  expect(written(updates)).toEqual(["0/10", "3/10  23 s left", "10/10  0 s left"]);
});
