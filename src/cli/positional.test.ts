import { Command } from "commander";
import { expect, test } from "vitest";
import { withPositional } from "./positional.ts";

const evaluate = new Command("evaluate").option("--encoder <encoder...>").option("--data <data>").option("--limit <n>");
const report = new Command("report").argument("<folder...>");
const commands = [evaluate, report];
const read = (line: string): string => withPositional(line.split(" "), commands).join(" ");

test("the last word is the data, those before it encoders", () => {
  expect(read("evaluate A pets")).toBe("evaluate --encoder A --data pets");
  expect(read("evaluate A B pets --limit 9")).toBe("evaluate --encoder A B --data pets --limit 9");
});

test("beside a flag, words are the other of the two", () => {
  expect(read("evaluate pets --encoder A B")).toBe("evaluate --data pets --encoder A B");
  expect(read("evaluate A B --data=pets")).toBe("evaluate --encoder A B --data=pets");
  expect(read("evaluate A --limit 9")).toBe("evaluate --encoder A --limit 9");
});

test("flags alone, other commands, and no command stay as they are", () => {
  for (const line of ["evaluate --encoder A --data pets", "report a b", "unknown a b", "--help"])
    expect(read(line)).toBe(line);
  expect(withPositional([], commands)).toEqual([]);
});
