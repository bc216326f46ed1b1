import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { expect, test } from "vitest";
import { loadTokenizer } from "../src/models/text/tokenizer.ts";
import { describeWithData, sharedData } from "./shared.ts";

interface Expected {
  readonly text: string;
  readonly ids: readonly number[];
}

interface Fixtures {
  readonly vocab_size: number;
  readonly eot: number;
  readonly agree: readonly Expected[];
  readonly openai: readonly Expected[];
  readonly differ: readonly {
    readonly name: string;
    readonly text: string;
    readonly openai_ids: readonly number[];
    readonly hf_ids: readonly number[];
  }[];
  readonly long: { readonly text: string; readonly n_ids: number };
  readonly imagenet1k_digest: { readonly sha256: string; readonly total_ids: number };
}

/** Every text of the fixtures whose ids are not OpenAI's, with what OpenAI's tokeniser does first and ours does not. */
const differences: readonly (readonly [text: string, cause: string, read: string])[] = [
  ["naïve façade — “quotes” & ellipsis…", "ftfy: typographic quotes", 'naïve façade — "quotes" & ellipsis…'],
  ["&lt;b&gt;bold&lt;/b&gt; &amp;amp; more", "HTML entities", "<b>bold</b> & more"],
  ["ﬁne ligature ﬂow", "ftfy: ligatures", "fine ligature flow"],
  ["1\u00002\ufffd3", "ftfy: control characters", "12\ufffd3"],
  ["weird ～ edge ～ case", "ftfy: full-width characters", "weird ~ edge ~ case"],
];

describeWithData("CLIP's tokeniser from OpenAI's vocabulary", () => {
  const read = (...path: string[]): unknown => JSON.parse(readFileSync(join(sharedData, ...path), "utf8"));
  const fixtures = read("fixtures", "clip-tokenizer-fixtures.json") as Fixtures;
  const tokenizer = loadTokenizer(join(sharedData, "clip-vocab"));
  const context = 77;
  const openai = new Map<string, readonly number[]>(
    [...fixtures.openai, ...fixtures.differ.map(({ text, openai_ids: ids }) => ({ text, ids }))].map(
      ({ text, ids }) => [text, ids],
    ),
  );

  test("size and end marker", () => {
    expect([tokenizer.vocabularySize, tokenizer.end]).toEqual([fixtures.vocab_size, fixtures.eot]);
  });

  test("the ids on which OpenAI and Hugging Face agree", () => {
    for (const { text, ids } of fixtures.agree) expect(tokenizer.encode(text, Infinity), text).toEqual(ids);
  });

  test("OpenAI's ids, but for the differences listed", () => {
    const differing = [...openai].filter(([text, ids]) => tokenizer.encode(text, context).join() !== ids.join());
    expect(differing.map(([text]) => text).sort()).toEqual(differences.map(([text]) => text).sort());
  });

  test.each(differences)("%j differs by its cause alone, %s", (text, _, cleaned) => {
    expect(tokenizer.encode(cleaned, context)).toEqual(openai.get(text));
  });

  test("Hugging Face's ids where the two differ", () => {
    expect(fixtures.differ).toHaveLength(3);
    for (const { name, text, hf_ids } of fixtures.differ.slice(0, 2)) {
      expect(tokenizer.encode(text, context), name).toEqual(hf_ids);
    }
  });

  test("the third set of these is of a repository that pads with an added token !, which then splits words", () => {
    const { text, hf_ids } = fixtures.differ[2]!;
    const json = JSON.parse(tokenizer.files.get("tokenizer.json")!) as { added_tokens: object[] };
    json.added_tokens.push({ id: 0, content: "!", special: true });
    expect(new HubTokenizer(json, {}).encode(text).ids).toEqual(hf_ids);
  });

  test("a long text keeps its first 76 ids and the end marker", () => {
    const { text, n_ids } = fixtures.long;
    const whole = tokenizer.encode(text, 1000);
    expect(whole).toHaveLength(n_ids);
    expect(tokenizer.encode(text, context)).toEqual([...whole.slice(0, 76), fixtures.eot]);
  });

  test("ImageNet's 1000 class names", () => {
    const { imagenet1k } = read("clip-prompts", "en_classnames.json") as { imagenet1k: readonly string[] };
    const ids = imagenet1k.map((name) => tokenizer.encode(`a photo of a ${name}.`, context));
    expect(ids.flat()).toHaveLength(fixtures.imagenet1k_digest.total_ids);
    const lines = ids.map((row) => `${row.join(",")}\n`).join("");
    expect(createHash("sha256").update(lines).digest("hex")).toBe(fixtures.imagenet1k_digest.sha256);
  });
});
