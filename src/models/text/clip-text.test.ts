import { describe, expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { Graph } from "../../graph/index.ts";
import { compile } from "../../runtime/index.ts";
import { tinyClip } from "../../testing/tiny-clip.ts";
import { frozenWeights } from "../encoder.ts";
import { ClipText, embedTokens } from "./clip-text.ts";
import { tokenRows } from "./text-tower.ts";

const text = tinyClip().text as ClipText;
const size = text.embeddingSize;
const row = (all: Float32Array, i: number): number[] => [...all.subarray(i * size, (i + 1) * size)];

async function embedRows(ids: readonly number[]): Promise<number[]> {
  const g = new Graph();
  const input = g.input("ids", "int64", [1, ids.length]);
  const embedding = embedTokens(input, text.architecture, text.tokenizer.end, frozenWeights(g, text.parameters));
  const program = await compile({ embedding }, { threads: 1 });
  const result = (await program.run({ ids: BigInt64Array.from(ids, BigInt) })).embedding as Float32Array;
  await program.dispose();
  return [...result];
}

describe("a text's embedding", () => {
  const texts = ["a photo of a cat", "red", "a red cat of a photo", "", "cat cat cat"];

  test("does not depend on the texts beside it, nor on how far they are filled up", async () => {
    const together = await text.embed(texts, { threads: 1 });
    for (const [i, one] of texts.entries()) {
      const alone = await text.embed([one], { threads: 1 });
      // float32 sums of a dozen terms in another order: a few units in the last place of values of order 1.
      for (const [d, value] of row(together, i).entries()) expect(alone[d]).toBeCloseTo(value, 5);
    }
  });

  test("is that of its tokens up to the first end marker: what follows has no influence", async () => {
    const ids = [...text.tokenizer.encode("a red cat", 24)];
    const filled = await embedRows([...ids, text.tokenizer.end, text.tokenizer.end]);
    const other = await embedRows([...ids, 5, 7]);
    expect(other).toEqual(filled);
    expect(await embedRows([ids[0]!, 5, ...ids.slice(1), 7])).not.toEqual(filled);
  });

  test("depends on the order of words", async () => {
    const [one, other] = [await text.embed(["red cat"]), await text.embed(["cat red"])];
    expect(one).not.toEqual(other);
  });

  test("more texts than a batch holds come out in their order", async () => {
    const many = Array.from({ length: 150 }, (_, i) => texts[i % texts.length]!);
    const seen: number[] = [];
    const all = await text.embed(many, { threads: 1, onProgress: (done) => seen.push(done) });
    const few = await text.embed(texts, { threads: 1 });
    for (const i of many.keys())
      for (const [d, value] of row(few, i % texts.length).entries()) expect(row(all, i)[d]).toBeCloseTo(value, 5);
    expect(seen).toEqual([64, 128, 150]);
  });
});

test("token rows are as long as the longest text, filled up with the end marker", () => {
  const { ids, length } = tokenRows(text, ["red cat", "red"]);
  const end = BigInt(text.tokenizer.end);
  expect(length).toBe(4);
  expect([...ids.subarray(4)].slice(2)).toEqual([end, end]);
});

test("no texts, and a tokeniser of another vocabulary, are refused", async () => {
  await expect(text.embed([])).rejects.toThrow(UsageError);
  const architecture = { ...text.architecture, vocabularySize: 100 };
  expect(() => new ClipText({ ...text, architecture })).toThrow(/do not belong together/);
});

test("the digest follows weights and architecture", () => {
  expect(tinyClip().text!.digest).toBe(text.digest);
  expect(tinyClip({ seed: 1 }).text!.digest).not.toBe(text.digest);
  expect(tinyClip({ activation: "gelu" }).text!.digest).not.toBe(text.digest);
});
