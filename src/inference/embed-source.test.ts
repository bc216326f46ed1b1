import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openBatches, synthetic } from "../data/index.ts";
import { encoderDigest } from "../models/digest.ts";
import { cloneParameters } from "../models/encoder.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { EmbeddingCache, pixelsDigest } from "./cache.ts";
import { embedImages } from "./embed.ts";
import { embedSource } from "./embed-source.ts";

let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "lore-embeddings-"));
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const encoder = tinyEncoder();
const source = synthetic({ count: 20, seed: 0 });
const embed = (order: readonly number[], folder = cache) =>
  embedSource(encoder, source, { order, batch: 4, threads: 1, cache: folder });
const theFile = () => join(cache, readdirSync(cache)[0]!);
const firstTen = Array.from({ length: 10 }, (_, i) => i);

test("kept embeddings are the fresh ones to the last bit, whatever was asked for before", async () => {
  const fresh = await embed(firstTen, join(cache, "other"));
  await embed([7, 2, 9]);
  const mixed = await embed(firstTen);
  const kept = await embed(firstTen);
  expect(mixed).toEqual(fresh);
  expect(kept).toEqual(fresh);
  expect(fresh.indices).toEqual(firstTen);
  expect([...fresh.labels]).toEqual(firstTen.map((i) => source.items[i]!.label));
});

test("what is kept is what is given", async () => {
  const { embeddings } = await embed([3]);
  const bytes = readFileSync(theFile());
  // 32 bytes of checksum, 32 of the image's digest, then the embedding.
  bytes.writeFloatLE(42, 64);
  writeFileSync(theFile(), bytes);
  expect((await embed([3])).embeddings, "a damaged file is ignored").toEqual(embeddings);
  truncateSync(theFile(), 70);
  expect((await embed([3])).embeddings).toEqual(embeddings);
  appendFileSync(theFile(), "x");
  expect((await embed([3])).embeddings).toEqual(embeddings);
  const key = readdirSync(cache)[0]!.replace(".embeddings", "");
  expect(new EmbeddingCache(cache, key, encoder.embeddingSize).size, "and written again").toBe(1);
});

test("one pixel, one weight, the image size or the architecture make another entry", () => {
  const pixels = randomImages(1);
  const changed = pixels.slice();
  changed[5] = changed[5]! + 1 / 255;
  expect(pixelsDigest(changed)).not.toBe(pixelsDigest(pixels));
  const parameters = cloneParameters(encoder.parameters);
  const [first] = parameters.values();
  first!.data[0] = first!.data[0]! + 1e-3;
  const digests = [
    encoder,
    encoder.withParameters(parameters),
    tinyEncoder({ imageSize: 16 }),
    tinyEncoder({ depth: 2 }),
  ];
  expect(new Set(digests.map(encoderDigest)).size).toBe(4);
  expect(encoderDigest(tinyEncoder())).toBe(encoderDigest(encoder));
});

test("embeddings are those of embedImages", async () => {
  const { embeddings } = await embed([0, 1, 2, 3, 4]);
  for await (const { pixels } of openBatches(source, { size: 8, batch: 5, order: [0, 1, 2, 3, 4] })) {
    const direct = await embedImages(encoder, pixels, { batch: 4, threads: 1 });
    expect(embeddings).toEqual(direct);
  }
});

test("writers at the same time keep both's images; a full file forgets the oldest", () => {
  const row = (x: number) => Float32Array.of(x, x);
  const digest = (x: number) => pixelsDigest(row(x));
  const open = (fileBytes = 2 ** 20) => new EmbeddingCache(cache, "k", 2, { fileBytes });
  const [one, other] = [open(), open()];
  one.add(digest(1), row(1));
  other.add(digest(2), row(2));
  one.save();
  other.save();
  expect([open().find(digest(1)), open().find(digest(2))]).toEqual([row(1), row(2)]);
  // Room for two records of 32 + 8 bytes behind the checksum.
  const full = open(32 + 2 * 40);
  full.add(digest(3), row(3));
  full.find(digest(1));
  full.save();
  expect([1, 2, 3].map((x) => open().find(digest(x)))).toEqual([row(1), undefined, row(3)]);
});

test("a folder over its limit loses the other encoders' files", () => {
  const add = (key: string) => {
    const one = new EmbeddingCache(cache, key, 2, { folderBytes: 100 });
    one.add(pixelsDigest(Float32Array.of(1)), Float32Array.of(1, 2));
    one.save();
  };
  add("a");
  add("b");
  expect(readdirSync(cache)).toEqual(["b.embeddings"]);
});

test("a cache that cannot be written costs no result", async () => {
  const file = join(cache, "file");
  writeFileSync(file, "");
  expect(await embed([1, 2], join(file, "inside"))).toEqual(await embed([1, 2]));
});

test("an aborted signal ends it with its reason", async () => {
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await expect(embedSource(encoder, source, { cache, signal: stop.signal, threads: 1 })).rejects.toThrow("enough");
});
