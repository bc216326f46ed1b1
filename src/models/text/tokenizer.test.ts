import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { AutoTokenizer, env } from "@huggingface/transformers";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { clipTokenizerJson, formatMerges, type Merge } from "./bpe-vocabulary.ts";
import { clipTokenizer, findTokenizer, loadTokenizer } from "./tokenizer.ts";

const base = mkdtempSync(join(tmpdir(), "lore-tokenizer-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;

function folderOf(files: Iterable<readonly [name: string, content: string | Uint8Array]>): string {
  const folder = join(base, `${count++}`);
  mkdirSync(folder);
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
  return folder;
}

const merges: readonly Merge[] = [
  ["c", "a"],
  ["ca", "t</w>"],
  ["d", "o"],
  ["do", "g</w>"],
];
const [START, END] = [516, 517];
const tokenizer = clipTokenizer(merges, 16);

/** By hand: byte 0x21 + i has id i up to 0x7E, 256 more where it ends a word; the merges have 512 to 515. */
const cases: readonly (readonly [text: string, ids: readonly number[]])[] = [
  ["cat", [513]],
  ["a cat, a dog.", [320, 513, 267, 320, 515, 269]],
  ["  CAT\n\tDog ", [513, 515]],
  ["ca", [66, 320]],
  ["catdog", [512, 83, 515]],
  ["dogs", [514, 70, 338]],
  ["42", [275, 273]],
  ["cat's", [513, 6, 338]],
  ["it's", [72, 339, 6, 338]],
  ["!!!", [0, 0, 256]],
  ["é", [127, 358]],
  ["e\u0301", [127, 358]],
  ["\u3000cat\u00a0dog", [513, 515]],
  ["cat<|endoftext|>dog", [513, END, 515]],
  ["<|STARTOFTEXT|>", [START]],
  ["", []],
];

describe("encode", () => {
  test.each(cases)("%j", (text, ids) => expect(tokenizer.encode(text, 77)).toEqual([START, ...ids, END]));

  test("a longer text is cut, the end marker last", () => {
    const text = "cat dog cat";
    expect(tokenizer.encode(text, 5)).toEqual([START, 513, 515, 513, END]);
    expect(tokenizer.encode(text, 4)).toEqual([START, 513, 515, END]);
    expect(tokenizer.encode(text, 2)).toEqual([START, END]);
    expect(() => tokenizer.encode(text, 1)).toThrow(UsageError);
  });

  test("a capital sigma at the end of a word becomes ς; an end marker in capitals is text", () => {
    expect(tokenizer.encode("ΟΔΟΣ ΣΑΣ", 77)).toEqual(tokenizer.encode("οδος σας", 77));
    const marked = tokenizer.encode("cat <|ENDOFTEXT|> cat", 77);
    expect(marked.filter((id) => id === END)).toHaveLength(1);
    expect(marked.length).toBeGreaterThan(9);
  });

  test("size and end marker", () => expect([tokenizer.vocabularySize, tokenizer.end]).toEqual([518, END]));
});

test("transformers.js gives the same ids from the saved files, and cuts at their length", async () => {
  env.allowRemoteModels = false;
  const other = await AutoTokenizer.from_pretrained(folderOf(tokenizer.files), { local_files_only: true });
  for (const [text] of cases) expect(other.encode(text), text).toEqual(tokenizer.encode(text, 77));
  const long = "cat ".repeat(40);
  const { input_ids } = other(long, { truncation: true, return_tensor: false }) as unknown as { input_ids: number[] };
  expect(input_ids).toHaveLength(16);
  expect([other.bos_token, other.eos_token, other.pad_token_id]).toEqual(["<|startoftext|>", "<|endoftext|>", END]);
});

describe("loadTokenizer", () => {
  const picked = (...names: string[]): (readonly [string, string])[] =>
    names.map((name) => [name, tokenizer.files.get(name)!]);

  test.each([
    ["tokenizer.json", picked("tokenizer.json")],
    ["vocab.json and merges.txt", picked("vocab.json", "merges.txt")],
    ["bpe_simple_vocab_16e6.txt.gz", [["bpe_simple_vocab_16e6.txt.gz", gzipSync(formatMerges(merges))] as const]],
    ["bpe_simple_vocab_16e6.txt", [["bpe_simple_vocab_16e6.txt", formatMerges(merges)] as const]],
    ["all files", [...tokenizer.files]],
  ])("from %s", (_, files) => {
    const loaded = loadTokenizer(folderOf(files));
    for (const [text] of cases) expect(loaded.encode(text, 8), text).toEqual(tokenizer.encode(text, 8));
    expect([loaded.vocabularySize, loaded.end]).toEqual([518, END]);
    for (const [name, content] of loaded.files) {
      const given = files.find(([file]) => file === name)?.[1];
      if (given !== undefined) expect(content).toBe(given);
      if (name !== "tokenizer_config.json") expect(content).toBe(tokenizer.files.get(name));
    }
    const copy = loadTokenizer(folderOf(loaded.files));
    expect(copy.files).toEqual(loaded.files);
  });

  test("the ids are those of vocab.json", () => {
    const vocabulary = JSON.parse(tokenizer.files.get("vocab.json")!) as Record<string, number>;
    const swapped = { ...vocabulary, "cat</w>": 515, "dog</w>": 513 };
    const folder = folderOf([["vocab.json", JSON.stringify(swapped)], ...picked("merges.txt")]);
    expect(loadTokenizer(folder).encode("a cat", 77)).toEqual([START, 320, 515, END]);
  });

  test("what the folder says of the tokeniser beside tokenizer.json is kept", () => {
    const config = JSON.stringify({ tokenizer_class: "CLIPTokenizer", pad_token: "!", model_max_length: 32 });
    const folder = folderOf([...picked("tokenizer.json"), ["tokenizer_config.json", config]]);
    expect(loadTokenizer(folder).files.get("tokenizer_config.json")).toBe(config);
  });

  test("a folder without: undefined, or an error that says what would do", () => {
    const folder = folderOf([["merges.txt", formatMerges(merges)]]);
    expect(findTokenizer(folder)).toBeUndefined();
    expect(() => loadTokenizer(folder)).toThrow(UsageError);
    expect(() => loadTokenizer(folder)).toThrow(/tokenizer\.json .*vocab\.json and merges\.txt.*bpe_simple_vocab/);
  });

  test.each([
    ["no JSON", [["tokenizer.json", "{"]], "JSON"],
    ["another kind", [["tokenizer.json", JSON.stringify({ model: { type: "None" } })]], "tokenizer.json"],
    [
      "no markers around a text",
      [["tokenizer.json", JSON.stringify({ ...clipTokenizerJson(merges), post_processor: null })]],
      "not like CLIP's",
    ],
    [
      "ids that are none",
      [
        ["vocab.json", '{"a": "b"}'],
        ["merges.txt", formatMerges(merges)],
      ],
      "vocab.json",
    ],
    ["a line that is no pair", [["bpe_simple_vocab_16e6.txt", "#version\nc a t\n"]], "Line 2"],
  ] as const)("a UsageError that names the folder: %s", (_, files, message) => {
    const folder = folderOf(files);
    expect(() => loadTokenizer(folder)).toThrow(UsageError);
    expect(() => loadTokenizer(folder)).toThrow(folder);
    expect(() => loadTokenizer(folder)).toThrow(message);
  });
});
