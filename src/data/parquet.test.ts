import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { unprivileged } from "../testing/unprivileged.ts";
import { openBatches, type SkippedImage } from "./batches.ts";
import { openSource } from "./open.ts";
import { parquetDataset } from "./parquet.ts";
import { ParquetImages } from "./parquet-rows.ts";
import { readImage } from "./read.ts";
import type { ImageSource, ParquetRow } from "./source.ts";

const root = mkdtempSync(join(tmpdir(), "lore-parquet-"));
afterAll(() => rmSync(root, { recursive: true }));

const images: Buffer[] = [];
beforeAll(async () => {
  for (let i = 0; i < 6; i++) {
    const image = sharp({ create: { width: 8, height: 8, channels: 3, background: { r: 40 * i, g: 90, b: 10 } } });
    images.push(await (i % 2 ? image.jpeg({ quality: 100 }) : image.png()).toBuffer());
  }
});

interface Row {
  readonly image: Buffer | null;
  readonly label?: number | null;
}

const classNames = ["cat", "great dane"];
const features = { image: { _type: "Image" }, label: { names: classNames, _type: "ClassLabel" } };

interface Layout {
  readonly names?: { readonly image: string; readonly label: string };
  /** undefined: the file does not describe its features. */
  readonly features?: Readonly<Record<string, unknown>> | undefined;
  readonly pageIndex?: boolean;
  readonly group?: number;
}

/** A file as `datasets` writes it: groups of (bytes, path), 64-bit labels, features in the metadata. */
function encode(rows: readonly Row[], layout: Layout = {}): Uint8Array {
  const { names = { image: "image", label: "label" }, pageIndex = false, group = 4 } = layout;
  const described = "features" in layout ? layout.features : features;
  const columnData: ColumnSource[] = [
    {
      name: names.image,
      data: rows.map(({ image }, i) => ({ bytes: image && new Uint8Array(image), path: `${i}.png` })),
      offsetIndex: pageIndex,
    },
    { name: names.label, data: rows.map(({ label }) => (typeof label === "number" ? BigInt(label) : null)) },
  ];
  const buffer = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: 2 },
      { name: names.image, num_children: 2, repetition_type: "OPTIONAL" },
      { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
      { name: "path", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: names.label, type: "INT64", repetition_type: "OPTIONAL" },
    ],
    columnData,
    rowGroupSize: group,
    // Two of these images a page.
    pageSize: 256,
    ...(described && {
      kvMetadata: [{ key: "huggingface", value: JSON.stringify({ info: { features: described } }) }],
    }),
  });
  return new Uint8Array(buffer);
}

let count = 0;
function dataset(files: Readonly<Record<string, Uint8Array | string>>): string {
  const path = join(root, `${count++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  return path;
}

/** Rows with images `first` to `last`, labels taking turns. */
const rows = (first: number, last: number): Row[] =>
  images.slice(first, last + 1).map((image, i) => ({ image, label: (first + i) % 2 }));

async function failure(path: string): Promise<string> {
  const error = await parquetDataset(path).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UsageError);
  return (error as Error).message;
}

/** Numbers of the test images, told by their red. */
async function numbersOf(source: ImageSource): Promise<number[]> {
  const pixels = await Promise.all(source.items.map(({ location }) => readImage(location, { size: 8 })));
  return pixels.map(({ data }) => Math.round(data[0]! / 40));
}

describe("parquetDataset", () => {
  it("lists the files of a split, with the class names of their features", async () => {
    const path = dataset({
      "data/train-00001-of-00002.parquet": encode(rows(4, 5)),
      "data/train-00000-of-00002.parquet": encode(rows(0, 3)),
      "zeroshot_classification_templates.txt": "a photo of a {c}.\n",
    });
    const source = await openSource(path);
    expect(source.items.map(({ id, label }) => [id, label])).toEqual([
      ["train-00000-of-00002.parquet: row 0", 0],
      ["train-00000-of-00002.parquet: row 1", 1],
      ["train-00000-of-00002.parquet: row 2", 0],
      ["train-00000-of-00002.parquet: row 3", 1],
      ["train-00001-of-00002.parquet: row 0", 0],
      ["train-00001-of-00002.parquet: row 1", 1],
    ]);
    expect(source.classes).toEqual(classNames.map((name) => ({ folder: name, name })));
    expect(source.templates).toEqual(["a photo of a {}."]);
    expect(await numbersOf(source)).toEqual([0, 1, 2, 3, 4, 5]);
    expect((await openSource(join(path, "data"))).items).toEqual(source.items);
    expect((await openSource(join(path, "train"))).items).toEqual(source.items);
    expect((await openSource(join(path, "data/train-00001-of-00002.parquet"))).items).toEqual(source.items.slice(4));
  });

  it("asks which split is meant, and notices a missing file", async () => {
    const path = dataset({
      "data/train-00000-of-00001.parquet": encode(rows(0, 1)),
      "data/test-00000-of-00001-a1b2c3d4.parquet": encode(rows(2, 4)),
    });
    expect(await failure(path)).toContain(`Give one of them: ${join(path, "test")} or ${join(path, "train")}.`);
    expect((await openSource(join(path, "test"))).items).toHaveLength(3);
    const plain = dataset({ "train.parquet": encode(rows(0, 1)), "test.parquet": encode(rows(2, 4)) });
    expect((await openSource(join(plain, "test"))).items).toHaveLength(3);
    expect(await failure(dataset({ "train-00001-of-00003.parquet": encode(rows(0, 1)) }))).toMatch(/1 of 3 files/);
    expect(await failure(join(path, "val"))).toMatch(/no Parquet files/);
  });

  it.each([true, false])("reads rows in any order in worker threads (index of pages: %s)", async (pageIndex) => {
    const damaged = rows(0, 5).map((row, i) => (i === 1 ? { ...row, image: images[1]!.subarray(0, 200) } : row));
    const path = dataset({ "train.parquet": encode([...damaged, { image: null, label: 0 }], { pageIndex }) });
    const source = await openSource(path);
    const skips: SkippedImage[] = [];
    const order = [5, 0, 1, 6, 4, 2, 3];
    const batches: number[][] = [];
    const options = { size: 8, batch: 3, order, workers: 2, onSkip: (skip: SkippedImage) => skips.push(skip) };
    for await (const { pixels, labels } of openBatches(source, options)) {
      const numbers = Array.from(labels, (_, i) => Math.round((pixels[i * 192]! * 255) / 40));
      expect([...labels]).toEqual(numbers.map((number) => number % 2));
      batches.push(numbers);
    }
    expect(batches).toEqual([
      [5, 0, 4],
      [2, 3],
    ]);
    expect(skips.map(({ id }) => id)).toEqual(["train.parquet: row 1", "train.parquet: row 6"]);
    expect(skips[1]!.reason).toMatch(/holds no bytes/);
    const strict = async () => {
      for await (const _ of openBatches(source, { size: 8, batch: 3, order: [1], strict: true }));
    };
    await expect(strict()).rejects.toThrow(`${path}/train.parquet: row 1 cannot be read as an image`);
  });

  it("finds columns by the type of their feature, or by the schema", async () => {
    const names = { image: "img", label: "fine_label" };
    const described = { ...features, img: features.image, fine_label: features.label };
    const { image: _image, label: _label, ...renamed } = described;
    const cifar = await openSource(dataset({ "a.parquet": encode(rows(0, 5), { names, features: renamed }) }));
    expect(cifar.classes!.map(({ name }) => name)).toEqual(classNames);
    expect(await numbersOf(cifar)).toEqual([0, 1, 2, 3, 4, 5]);
    const bare = encode(rows(0, 5), { names: { image: "picture", label: "label" }, features: undefined });
    const numbered = await openSource(dataset({ "a.parquet": bare }));
    expect(numbered.items.map(({ label }) => label)).toEqual([0, 1, 0, 1, 0, 1]);
    expect(numbered.classes!.map(({ name }) => name)).toEqual(["0", "1"]);
    const named = await openSource(dataset({ "a.parquet": bare, "classnames.txt": "newt\nowl\n" }));
    expect(named.classes!.map(({ name }) => name)).toEqual(["newt", "owl"]);
  });

  it("takes images without labels", async () => {
    const source = await openSource(
      dataset({ "a.parquet": encode(images.map((image, i) => ({ image, label: i % 2 ? -1 : null }))) }),
    );
    expect(source.items).toHaveLength(6);
    expect(source).not.toHaveProperty("classes");
  });

  it("says what is wrong with the contents", async () => {
    const image = images[0]!;
    const wrong = (content: readonly Row[], layout?: Layout) =>
      failure(join(dataset({ "a.parquet": encode(content, layout) }), "a.parquet"));
    expect(
      await wrong([
        { image, label: 0 },
        { image, label: 2 },
      ]),
    ).toMatch(/a\.parquet: row 1 has the label 2.* 2 classes/);
    expect(await wrong([{ image, label: 0 }, { image }])).toMatch(/a\.parquet: row 1 has no label/);
    const text = parquetWriteBuffer({ columnData: [{ name: "text", data: ["a", "b"], type: "STRING" }] });
    expect(await failure(dataset({ "a.parquet": new Uint8Array(text) }))).toMatch(/no column of images.*text/);
    const other = { ...features, label: { names: ["newt", "owl"], _type: "ClassLabel" } };
    const two = { "a.parquet": encode(rows(0, 1)), "b.parquet": encode(rows(2, 3), { features: other }) };
    expect(await failure(dataset(two))).toMatch(/b\.parquet names other classes than .*a\.parquet/);
  });

  it("says that a file is damaged, also when that happens after it was listed", async () => {
    const path = join(dataset({ "a.parquet": encode(rows(0, 5)) }), "a.parquet");
    const { items } = await parquetDataset(path);
    truncateSync(path, 700);
    expect(await failure(path)).toMatch(/a\.parquet cannot be read.*download it again/);
    await expect(readImage(items[0]!.location, { size: 8 })).rejects.toThrow(/a\.parquet cannot be read/);
    expect(await failure(join(dataset({ "a.parquet": "" }), "a.parquet"))).toMatch(/cannot be read/);
  });

  it("says that a file may not be read", async () => {
    const path = join(dataset({ "a.parquet": encode(rows(0, 1)) }), "a.parquet");
    chmodSync(path, 0);
    chmodSync(root, 0o755);
    expect(await unprivileged(() => failure(path))).toMatch(/a\.parquet cannot be read: EACCES/);
  });
});

describe("ParquetImages", () => {
  const locate = (path: string, row: number): ParquetRow => ({ kind: "parquet", path, column: "image", row });

  it("keeps what it decoded up to its capacity, and the rest is decoded again", async () => {
    // Row groups of 2 images of 100 bytes.
    const contents = Array.from({ length: 8 }, (_, i) => Buffer.alloc(100, i));
    const path = join(
      dataset({
        "a.parquet": encode(
          contents.map((image) => ({ image })),
          { group: 2 },
        ),
      }),
      "a.parquet",
    );
    const reader = new ParquetImages(500);
    for (const [row, held] of [
      [0, 200],
      [3, 400],
      [1, 400],
      [5, 400],
    ] as const) {
      expect(Buffer.compare(await reader.read(locate(path, row)), contents[row]!)).toBe(0);
      expect(reader.held).toBe(held);
    }
    // Without the file's bytes, only what was kept can be read: rows 0 and 1, used after 2 and 3, and 4 and 5.
    writeFileSync(path, Buffer.alloc(readFileSync(path).length));
    expect(Buffer.compare(await reader.read(locate(path, 0)), contents[0]!)).toBe(0);
    expect(Buffer.compare(await reader.read(locate(path, 4)), contents[4]!)).toBe(0);
    await expect(reader.read(locate(path, 2))).rejects.toThrow();
  });

  it("decodes a block once for readers at the same time", async () => {
    const contents = Array.from({ length: 6 }, (_, i) => Buffer.alloc(100, i));
    const path = join(
      dataset({
        "a.parquet": encode(
          contents.map((image) => ({ image })),
          { group: 6 },
        ),
      }),
      "a.parquet",
    );
    const reader = new ParquetImages(50);
    const read = await Promise.all([4, 0, 5].map((row) => reader.read(locate(path, row))));
    expect(read.map((bytes) => bytes[0])).toEqual([4, 0, 5]);
    // Larger than the capacity, but the last block stays.
    expect(reader.held).toBe(600);
  });

  it("decodes single pages where the file has an index of them", async () => {
    const contents = Array.from({ length: 6 }, (_, i) =>
      Buffer.from(Array.from({ length: 100 }, (_, k) => (k * k * (i + 3)) % 251)),
    );
    const rows = contents.map((image) => ({ image }));
    const path = join(dataset({ "a.parquet": encode(rows, { group: 6, pageIndex: true }) }), "a.parquet");
    const reader = new ParquetImages();
    expect(Buffer.compare(await reader.read(locate(path, 5)), contents[5]!)).toBe(0);
    expect(reader.held).toBeLessThan(600);
    for (const row of [3, 0, 4, 1, 2]) {
      expect(Buffer.compare(await reader.read(locate(path, row)), contents[row]!)).toBe(0);
    }
    expect(reader.held).toBe(600);
  });
});
