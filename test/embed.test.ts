import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { embedImages } from "../src/inference/index.ts";
import { loadEncoder, saveEncoder } from "../src/models/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { tinyClip } from "../src/testing/tiny-clip.ts";
import { interrupted } from "./cli.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-embed-"));
const at = (name: string): string => join(base, name);
const compute = ["--threads", "1", "--device", "cpu"];
const embed = ["embed", "--encoder", at("clip"), ...compute];

/** Plain colours, which leave nothing to resizing. */
const colours = { "a-red.png": [255, 0, 0], "sub/green.png": [0, 255, 0], "z-blue.png": [0, 0, 255] } as const;

beforeAll(async () => {
  vi.stubEnv("XDG_CACHE_HOME", at("cache"));
  saveEncoder(tinyClip(), at("clip"));
  saveEncoder(tinyEncoder(), at("vit"));
  mkdirSync(at("photos/sub"), { recursive: true });
  for (const [name, [r, g, b]] of Object.entries(colours)) {
    await sharp({ create: { width: 8, height: 8, channels: 3, background: { r, g, b } } }).toFile(at(`photos/${name}`));
  }
  writeFileSync(at("texts.txt"), "red cat\na photo of a cat\n");
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(base, { recursive: true, force: true });
});

interface Row {
  readonly name: string;
  readonly embedding: readonly number[];
}

const rowsOf = (path: string): readonly Row[] =>
  readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);

test("the images of a folder, by their names: what the encoder gives for their pixels", async () => {
  const { code, stdout, stderr } = await lore([...embed, at("photos"), "--out", at("photos.jsonl")]);
  expect(code, stderr).toBe(0);
  expect(stdout).toBe(`3 images of ${at("photos")}, 10 numbers each, not normalised -> ${at("photos.jsonl")}\n`);
  const rows = new Map(rowsOf(at("photos.jsonl")).map(({ name, embedding }) => [name, embedding]));
  expect([...rows.keys()].sort()).toEqual(Object.keys(colours).sort());
  for (const [name, colour] of Object.entries(colours)) {
    const pixels = Float32Array.from({ length: 3 * 64 }, (_, i) => colour[Math.floor(i / 64)]! / 255);
    // Another batch, and so another order of sums in float32.
    const expected = [...(await embedImages(await loadEncoder(at("clip")), pixels))];
    expect(rows.get(name)).toEqual(expected.map((x) => expect.closeTo(x, 4)));
  }
});

test("the nearest of a written file, whatever its format, to an image and to texts", async () => {
  for (const name of ["i.npy", "i.safetensors", "i.parquet"]) {
    expect((await lore([...embed, at("photos"), "--out", at(name)])).code).toBe(0);
    const query = [...embed, at("photos/z-blue.png"), "--nearest", "2", "--index", at(name)];
    const { code, stdout, stderr } = await lore(query);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^query +nearest +cosine\n-.*\nz-blue\.png +z-blue\.png +1\.0000\n +\S+\.png +-?0\.\d{4}\n/);
    expect(stderr).not.toMatch(/Warning/);
  }
  const { stdout } = await lore([
    ...embed,
    "--texts",
    at("texts.txt"),
    "--nearest",
    "1",
    "--index",
    at("i.npy"),
    "--json",
  ]);
  const found = JSON.parse(stdout) as { count: number; neighbours: { query: string; neighbours: object[] }[] };
  expect(found).toMatchObject({
    count: 2,
    embeddingSize: 10,
    neighbours: [{ query: "red cat" }, { query: "a photo of a cat" }],
  });
  expect(found.neighbours[0]!.neighbours).toEqual([
    { name: expect.stringMatching(/\.png$/), cosine: expect.closeTo(0, 0) },
  ]);
});

test("texts by themselves, and as many images as --limit says", async () => {
  await lore([...embed, "--texts", at("texts.txt"), "--out", at("texts.jsonl")]);
  const texts = rowsOf(at("texts.jsonl"));
  expect(texts.map(({ name }) => name)).toEqual(["red cat", "a photo of a cat"]);
  const expected = [...(await tinyClip().text!.embed(["red cat"]))];
  expect(texts[0]!.embedding).toEqual(expected.map((x) => expect.closeTo(x, 4)));
  const { stdout } = await lore([...embed, "synthetic:9", "--limit", "4", "--out", at("four.jsonl"), "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ count: 4, embeddingSize: 10, skipped: 0, files: [at("four.jsonl")] });
});

test("an index of another encoder: a warning where it could be compared, refused under --strict", async () => {
  saveEncoder(tinyClip({ seed: 1 }), at("other"));
  await lore(["embed", "--encoder", at("other"), ...compute, at("photos"), "--out", at("other.npy")]);
  const query = [...embed, at("photos"), "--nearest", "1", "--index", at("other.npy")];
  const { code, stderr } = await lore(query);
  expect(code).toBe(0);
  expect(stderr).toContain(`--index ${at("other.npy")} was made with ${at("other")}`);
  await expectRefused([...query, "--strict"], /was made with/);
});

test("a file that is no image is skipped and listed; under --strict it ends the command, and nothing is written", async () => {
  mkdirSync(at("broken"));
  copyFileSync(at("photos/a-red.png"), at("broken/red.png"));
  writeFileSync(at("broken/none.png"), "no image");
  const { code, stdout, stderr } = await lore([...embed, at("broken"), "--out", at("broken.npy")]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^1 image of \S+ \(1 more could not be read\)/);
  expect(stderr).toMatch(/Skipped 1 file that is no readable image:\n {2}none\.png: /);
  const { names } = JSON.parse(readFileSync(at("broken.names.json"), "utf8")) as { names: string[] };
  expect(names).toEqual(["red.png"]);
  await expectRefused([...embed, at("broken"), "--out", at("strict.npy"), "--strict"], /none\.png/);
  expect(existsSync(at("strict.npy"))).toBe(false);
});

test("Ctrl-C ends it with 130; nothing is written", async () => {
  const shapes = ["embed", "--encoder", "assets/clip-shapes", ...compute];
  const { code, stdout, stderr } = await interrupted(
    [...shapes, "synthetic:20000", "--out", at("stopped.npy")],
    /embedding {2}\d/,
  );
  expect(code, stderr).toBe(130);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/Stopped\. Embeddings made so far are kept; the same command goes on with them\.$/m);
  expect(existsSync(at("stopped.npy"))).toBe(false);
});

test("what cannot be meant is refused before anything is computed", async () => {
  await expectRefused(embed, /Give images to embed, or --texts FILE/);
  await expectRefused([...embed, at("photos")], /--out FILE keeps the embeddings/);
  await expectRefused(
    [...embed, at("photos"), "--out", at("a.csv")],
    /a\.csv.*\.npy, \.safetensors, \.jsonl, \.parquet/,
  );
  await expectRefused([...embed, at("photos"), "--nearest", "3"], /--nearest K and --index FILE go together/);
  await expectRefused([...embed, at("photos"), "--texts", at("texts.txt"), "--out", at("a.npy")], /give one of them/);
  await expectRefused(
    [...embed, at("photos"), "--nearest", "3", "--index", at("none.npy")],
    /No embeddings at .*none\.npy/,
  );
  const vit = ["embed", "--encoder", at("vit"), ...compute];
  await expectRefused([...vit, "--texts", at("texts.txt"), "--out", at("a.npy")], /no text tower/);
  await lore([...embed, at("photos"), "--out", at("ten.npy")]);
  await expectRefused([...vit, at("photos"), "--nearest", "1", "--index", at("ten.npy")], /10 numbers.*have 16/);
});
