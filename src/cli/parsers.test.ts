import { InvalidArgumentError } from "commander";
import { describe, expect, test } from "vitest";
import { parseBytes } from "./parsers.ts";

describe("parseBytes", () => {
  test.each([
    ["8GiB", 8 * 2 ** 30],
    ["512MiB", 512 * 2 ** 20],
    ["7.5GB", 7.5e9],
    [" 300 mb ", 300e6],
    ["0.3MiB", 314572],
  ])("%s", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test.each(["", "8", "8G", "GiB", "-1GiB", "0MiB", "1e3MiB", "1,5GiB", "8KiB"])("refuses %j", (text) => {
    expect(() => parseBytes(text)).toThrow(InvalidArgumentError);
    expect(() => parseBytes(text)).toThrow(/8GiB or 512MiB/);
  });
});
