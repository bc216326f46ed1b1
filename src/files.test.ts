import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { LoreError, UsageError } from "./errors.ts";
import { appendLines, readLines, withFile, writeAtomically } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "lore-files-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["a text", "äöü", "äöü"],
  ["bytes", Uint8Array.of(65, 66), "AB"],
  ["pieces, an empty one among them", [Uint8Array.of(65), new Uint8Array(0), Uint8Array.of(66, 67)], "ABC"],
])("%s is written whole, with nothing left beside it", (_, content, expected) => {
  const path = join(folder, "deep", "file");
  writeAtomically(path, content);
  expect(readFileSync(path, "utf8")).toBe(expected);
  expect(readdirSync(join(folder, "deep"))).toEqual(["file"]);
});

test("what cannot be written leaves nothing behind", () => {
  const path = join(folder, "taken");
  writeAtomically(join(path, "inside"), "x");
  expect(() => writeAtomically(path, "y")).toThrow(LoreError);
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("any part of a file longer than one call of the system can read", ({ skip }) => {
  const { bavail, bsize } = statfsSync(folder);
  // The file is sparse, which costs no room where the file system knows it.
  if (bavail * bsize < 4e9) skip("less than 4 GB of room");
  const path = join(folder, "large");
  const end = 3e9;
  const out = openSync(path, "w");
  writeSync(out, Uint8Array.of(1, 2, 3, 4), 0, 4, end - 4);
  closeSync(out);
  const [size, last, first] = withFile(path, (file) => [file.size, file.read(end - 3, end), file.read(0, 2)]);
  expect([size, last, first]).toEqual([end, Uint8Array.of(2, 3, 4), Uint8Array.of(0, 0)]);
  rmSync(path);
});

test("a file that is not there, and one that ends too early", () => {
  const path = join(folder, "absent");
  expect(() => withFile(path, () => 0)).toThrow(UsageError);
  expect(() => withFile(path, () => 0)).toThrow(path);
  expect(existsSync(path)).toBe(false);
  writeAtomically(path, "abc");
  expect(() => withFile(path, ({ read }) => read(1, 5))).toThrow(/absent.*shorter than 5 bytes/);
});

test("lines are read as they were appended; damaged and empty ones are told by their numbers", () => {
  const path = join(folder, "lines.jsonl");
  const damaged: number[] = [];
  expect(readLines(path, (line) => damaged.push(line))).toEqual([]);
  appendLines(path, [{ a: 1 }, { a: "b\n" }]);
  expect(readLines(path, (line) => damaged.push(line))).toEqual([{ a: 1 }, { a: "b\n" }]);
  writeAtomically(path, '{"a":1}\n\n{"a":2}\n{"a"');
  expect(readLines(path, (line) => damaged.push(line))).toEqual([{ a: 1 }, { a: 2 }]);
  expect(damaged).toEqual([2, 4]);
});
