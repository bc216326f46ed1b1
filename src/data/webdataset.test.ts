import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import sharp from "sharp";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWithData, sharedData } from "../../test/shared.ts";
import { UsageError } from "../errors.ts";
import { unprivileged } from "../testing/unprivileged.ts";
import { openBatches, type SkippedImage } from "./batches.ts";
import { decodeImage } from "./decode.ts";
import { openSource } from "./open.ts";
import { readImage } from "./read.ts";
import type { ImageSource } from "./source.ts";
import { webDataset } from "./webdataset.ts";

const root = mkdtempSync(join(tmpdir(), "lore-webdataset-"));
afterAll(() => rmSync(root, { recursive: true }));

type Files = Readonly<Record<string, string | Buffer>>;

let count = 0;
/** A new data set of these files. The name of a tar stands for an archive with these entries. */
async function dataset(files: Readonly<Record<string, string | Files>>): Promise<string> {
  const path = join(root, `${count++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), typeof content === "string" ? content : await tar(content));
  }
  return path;
}

async function tar(files: Files): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  return buffer(archive);
}

const images: Buffer[] = [];
beforeAll(async () => {
  for (let i = 0; i < 6; i++) {
    const image = sharp({ create: { width: 8, height: 8, channels: 3, background: { r: 40 * i, g: 90, b: 10 } } });
    images.push(await (i % 2 ? image.jpeg() : image.png()).toBuffer());
  }
});

const classnames = "ship\nfire truck\n";
/** Red of the first pixel, which tells the test images apart: 40 times their number. */
async function red(source: ImageSource, index: number): Promise<number> {
  return (await readImage(source.items[index]!.location, { size: 8 })).data[0]!;
}

function failure(path: string): string {
  try {
    webDataset(path);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error("It was accepted.");
}

describe("webDataset", () => {
  it("lists a split in CLIP_benchmark's layout, its shards by number", async () => {
    const path = await dataset({
      "classnames.txt": classnames,
      "zeroshot_classification_templates.txt": "a photo of a {c}.\n{c}s and {c}s\n",
      "train/10.tar": { "s2.png": images[2]!, "s2.cls": "0" },
      "train/2.tar": {
        "./s0.png": images[0]!,
        "./s0.cls": "1\n",
        "s1.cls": "0",
        "s1.JPG": images[1]!,
        "readme.md": "x",
      },
      "train/nshards.txt": "2",
    });
    const source = webDataset(join(path, "train"));
    expect(source.items.map(({ id, label }) => [id, label])).toEqual([
      ["train/2.tar: ./s0.png", 1],
      ["train/2.tar: s1.JPG", 0],
      ["train/10.tar: s2.png", 0],
    ]);
    expect(source.classes).toEqual([
      { folder: "ship", name: "ship" },
      { folder: "fire truck", name: "fire truck" },
    ]);
    expect(source.templates).toEqual(["a photo of a {}.", "{}s and {}s"]);
    expect([await red(source, 0), await red(source, 2)]).toEqual([0, 80]);
    expect(webDataset(join(path, "train/2.tar")).items).toEqual(source.items.slice(0, 2));
    expect(webDataset(path).items).toEqual(source.items);
  });

  it("reads images in any order in worker threads, and names the corrupt one", async () => {
    const entries = images.flatMap((image, i) => [
      [`s000000${i}.jpg`, i === 1 ? image.subarray(0, 200) : image],
      [`s000000${i}.cls`, `${i % 2}`],
    ]);
    const path = await dataset({ "classnames.txt": classnames, "train/0.tar": Object.fromEntries(entries) });
    const source = await openSource(join(path, "train"));
    const skips: SkippedImage[] = [];
    const order = [5, 0, 1, 4, 2, 3];
    const options = { size: 8, batch: 5, order, workers: 2 };
    const reds: number[] = [];
    for await (const { pixels, labels, ids } of openBatches(source, {
      ...options,
      onSkip: (skip) => skips.push(skip),
    })) {
      expect([...labels]).toEqual([1, 0, 0, 0, 1]);
      expect(ids[0]).toBe("train/0.tar: s0000005.jpg");
      reds.push(...ids.map((_, i) => Math.round((pixels[i * 192]! * 255) / 40)));
    }
    // JPEG moves the level by less than half of the step of 40 between images.
    expect(reds).toEqual([5, 0, 4, 2, 3]);
    expect(skips.map(({ id }) => id)).toEqual(["train/0.tar: s0000001.jpg"]);
    const strict = async () => {
      for await (const _ of openBatches(source, { ...options, strict: true }));
    };
    await expect(strict()).rejects.toThrow(/train\/0\.tar: s0000001\.jpg cannot be read as an image/);
  });

  it("takes captions from text or JSON, and data without labels or class names", async () => {
    const path = await dataset({
      "captions.tar": {
        "a.jpg": images[1]!,
        "a.txt": "a ship\n",
        "b.jpg": images[1]!,
        "b.json": '{"caption": "two ships", "width": 8}',
        "c.jpg": images[1]!,
      },
      "numbers.tar": { "a.jpg": images[1]!, "a.cls": "2" },
    });
    const source = webDataset(join(path, "captions.tar"));
    expect(source.items.map(({ id, caption }) => [id, caption])).toEqual([
      ["captions.tar: a.jpg", "a ship"],
      ["captions.tar: b.jpg", "two ships"],
      ["captions.tar: c.jpg", undefined],
    ]);
    expect(source).not.toHaveProperty("classes");
    expect(source).not.toHaveProperty("templates");
    const numbered = webDataset(join(path, "numbers.tar"));
    expect(numbered.classes!.map(({ name }) => name)).toEqual(["0", "1", "2"]);
  });

  it("asks which split is meant", async () => {
    const entry = { "a.jpg": images[1]!, "a.cls": "0" };
    const path = await dataset({ "classnames.txt": classnames, "test/0.tar": entry, "train/0.tar": entry });
    expect(failure(path)).toContain(`Give one of them: ${path}/test or ${path}/train.`);
    await expect(openSource(path)).rejects.toThrow(/test or .*train/);
  });

  it("leaves folders of images alone that have an archive beside the images", async () => {
    const path = await dataset({ "pets.tar": {}, "cat/backup.tar": {}, "cat/1.jpg": "" });
    expect((await openSource(path)).items.map(({ id }) => id)).toEqual(["cat/1.jpg"]);
  });

  it("says which label is wrong", async () => {
    const image = images[1]!;
    const wrong = async (entries: Files) =>
      failure(join(await dataset({ "classnames.txt": classnames, "0.tar": entries }), "0.tar"));
    expect(await wrong({ "s1.jpg": image, "s1.cls": "2" })).toMatch(/0\.tar: s1\.jpg has the label 2.*names 2 classes/);
    expect(await wrong({ "s1.jpg": image, "s1.cls": "-1" })).toMatch(/0\.tar: s1\.cls holds "-1"/);
    expect(await wrong({ "s1.jpg": image, "s1.cls": "" })).toMatch(/0\.tar: s1\.cls holds ""/);
    expect(await wrong({ "s1.jpg": image, "s1.cls": "0", "s2.jpg": image })).toMatch(/0\.tar: s2\.jpg has no label/);
    expect(await wrong({ "s1.jpg": image, "s1.json": "{" })).toMatch(/0\.tar: s1\.json is no JSON/);
    expect(await wrong({ "notes.txt": "none" })).toMatch(/holds no images/);
    expect(await wrong({})).toMatch(/holds no images/);
  });

  it("says what is wrong with the files beside the shards", async () => {
    const entry = { "a.jpg": images[1]!, "a.cls": "0" };
    expect(failure(await dataset({ "0.tar": entry, "nshards.txt": "3" }))).toMatch(/holds 1 tar files, .* counts 3/);
    expect(failure(await dataset({ "0.tar": entry, "classnames.txt": "a\n\nb\n" }))).toMatch(/classnames\.txt, line 2/);
    expect(failure(await dataset({ "0.tar": entry, "classnames.txt": "" }))).toMatch(
      /classnames\.txt: the file is empty/,
    );
    const templates = { "0.tar": entry, "zeroshot_classification_templates.txt": "a {c}\na photo\n" };
    expect(failure(await dataset(templates))).toMatch(/templates\.txt, line 2: "a photo" has no \{c\}/);
  });

  it("says where a tar is cut short, also when that happens after it was listed", async () => {
    const path = join(await dataset({ "0.tar": { "s0.jpg": images[1]!, "s0.cls": "0" } }), "0.tar");
    const source = webDataset(path);
    truncateSync(path, 600);
    expect(failure(path)).toMatch(/0\.tar is cut short: it ends at offset 600/);
    await expect(readImage(source.items[0]!.location, { size: 8 })).rejects.toThrow(/changed after it was listed/);
  });

  it("says that a tar may not be read", async () => {
    const path = join(await dataset({ "0.tar": { "s0.jpg": images[1]! } }), "0.tar");
    chmodSync(path, 0);
    chmodSync(root, 0o755);
    expect(await unprivileged(() => failure(path))).toMatch(/0\.tar cannot be read: EACCES/);
  });
});

describeWithData("webDataset on CIFAR-10", () => {
  const data = join(sharedData, "cifar10-wds");

  it("lists all images with balanced classes", async () => {
    const train = webDataset(join(data, "train"));
    const test = webDataset(join(data, "test"));
    expect([train.items.length, test.items.length]).toEqual([50_000, 10_000]);
    const perClass = new Array<number>(10).fill(0);
    for (const { label } of train.items) perClass[label!]! += 1;
    expect(perClass).toEqual(new Array<number>(10).fill(5000));
    expect(train.classes!.map(({ name }) => name).slice(0, 3)).toEqual(["airplane", "automobile", "bird"]);
    expect(test.templates).toContain("a photo of a {}.");
  });

  it.each([0, 4321, 9999])("reads image %d of a shard as the system's tar extracts it", async (index) => {
    const path = join(data, "train/3.tar");
    const { location, label } = webDataset(path).items[index]!;
    if (location.kind !== "slice") throw new Error(`${location.kind} is no slice`);
    const bytes = execFileSync("tar", ["xOf", path, location.entry]);
    const expected = await decodeImage(bytes);
    expect(readFileSync(path).subarray(location.offset, location.offset + location.length)).toEqual(bytes);
    expect(Buffer.compare((await readImage(location, { size: 32 })).data, expected.data)).toBe(0);
    expect(execFileSync("tar", ["xOf", path, location.entry.replace("jpg", "cls")]).toString()).toBe(`${label}`);
  });
});
