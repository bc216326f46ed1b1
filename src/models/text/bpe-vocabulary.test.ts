import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { clipModel, formatMerges, type Merge, readMerges, tokenizerJson } from "./bpe-vocabulary.ts";

const merges: readonly Merge[] = [
  ["c", "a"],
  ["ca", "t</w>"],
];
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("readMerges", () => {
  test.each([
    ["plain", bytes("#version: 0.2\nc a\nca t</w>\n")],
    ["packed", gzipSync("bpe_simple_vocab_16e6.txt#version: 0.2\nc a\nca t</w>")],
    ["with a carriage return a line", bytes("#version: 0.2\r\nc a\r\nca t</w>\r\n")],
    ["as formatMerges writes it", bytes(formatMerges(merges))],
  ])("%s", (_, content) => expect(readMerges(content)).toEqual(merges));

  test("takes the 48 894 that CLIP uses and no more", () => {
    const lines = Array.from({ length: 48_900 }, (_, i) => `a b${i}`);
    const read = readMerges(bytes(["#version", ...lines].join("\n")));
    expect(read).toHaveLength(48_894);
    expect(read.at(-1)).toEqual(["a", "b48893"]);
  });

  test.each(["a", "a b c", "", " b"])("a line that is no pair is named: %j", (line) => {
    const read = (): unknown => readMerges(bytes(`#version\nc a\n${line}\nd o`));
    expect(read).toThrow(UsageError);
    expect(read).toThrow("Line 3");
  });

  test("a damaged gzip file", () => {
    expect(() => readMerges(gzipSync("#version\nc a\n").subarray(0, 20))).toThrow("gzip");
  });
});

describe("clipModel", () => {
  test("bytes, bytes that end a word, merges, markers", () => {
    const { vocabulary } = clipModel(merges);
    // GPT-2's order: ! to ~ (94 bytes), ¡ to ¬ (12), ® to ÿ (82), then 0x00 to 0x20 as U+0100 and up, 0x7F to 0xA0, 0xAD.
    const ids = {
      "!": 0,
      a: 64,
      "~": 93,
      "¡": 94,
      "®": 106,
      ÿ: 187,
      Ā: 188,
      Ġ: 220,
      ġ: 221,
      Ń: 255,
      "!</w>": 256,
      "a</w>": 320,
      "Ń</w>": 511,
      ca: 512,
      "cat</w>": 513,
      "<|startoftext|>": 514,
      "<|endoftext|>": 515,
    };
    expect(vocabulary).toMatchObject(ids);
    expect(Object.values(vocabulary).sort((a, b) => a - b)).toEqual(Array.from({ length: 516 }, (_, i) => i));
  });

  test.each<[string, readonly Merge[]]>([
    ["uses ca, which is not made before", [["ca", "t</w>"]]],
    ["makes ca, which is there already", [merges[0]!, merges[0]!]],
  ])("a merge that %s", (fault, wrong) => {
    expect(() => clipModel(wrong)).toThrow(UsageError);
    expect(() => clipModel(wrong)).toThrow(fault);
  });
});

test("a vocabulary without markers is none of CLIP's", () => {
  expect(() => tokenizerJson({ vocabulary: { a: 0, "<|startoftext|>": 1 }, merges: [] })).toThrow("<|endoftext|>");
});
