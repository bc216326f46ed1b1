import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { type BatchOptions, type ImageBatch, openBatches, type SkippedImage } from "./batches.ts";
import { imageFolder } from "./folder.ts";
import { nativeSize, readImage } from "./read.ts";
import type { ImageSource } from "./source.ts";
import { synthetic } from "./synthetic.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "lore-batches-"));
afterAll(() => rmSync(root, { recursive: true }));

let folder: ImageSource;
const broken = ["images/03.jpg", "images/04.jpg", "images/09.jpg"];

beforeAll(async () => {
  mkdirSync(join(root, "data", "images"), { recursive: true });
  for (let i = 0; i < 11; i++) {
    const name = `images/${String(i).padStart(2, "0")}.jpg`;
    const background = { r: 20 * i, g: 100, b: 255 - 20 * i };
    const jpeg = await sharp({ create: { width: 20 + i, height: 16, channels: 3, background } })
      .jpeg()
      .toBuffer();
    const bytes =
      { "images/03.jpg": jpeg.subarray(0, jpeg.length - 20), "images/04.jpg": Buffer.from("no image") }[name] ?? jpeg;
    writeFileSync(join(root, "data", name), bytes);
  }
  folder = imageFolder(join(root, "data"));
  // The file is listed, then deleted.
  rmSync(join(root, "data", "images/09.jpg"));
});

async function collect(source: ImageSource, options: BatchOptions): Promise<ImageBatch[]> {
  const batches: ImageBatch[] = [];
  for await (const batch of openBatches(source, options)) batches.push(batch);
  return batches;
}

const all = (source: ImageSource) => source.items.map((_, index) => index);

describe("openBatches", () => {
  it("gives full batches of planes in [0, 1], in order, and a smaller last one", async () => {
    const source = synthetic({ count: 10 });
    const order = [7, 3, 3, 0, 9, 1, 2];
    const batches = await collect(source, { size: 12, batch: 3, order });
    expect(batches.map(({ count }) => count)).toEqual([3, 3, 1]);
    expect(batches.flatMap(({ indices }) => indices)).toEqual(order);
    expect(batches.flatMap(({ ids }) => ids)).toEqual(order.map((index) => source.items[index]!.id));
    expect(batches.flatMap(({ labels }) => [...labels])).toEqual(order.map((index) => source.items[index]!.label));
    const expected = await readImage(source.items[3]!.location, { size: 12 });
    const second = batches[0]!.pixels.subarray(432, 864);
    for (const [y, x, c] of [
      [0, 0, 0],
      [5, 7, 1],
      [11, 11, 2],
    ] as const) {
      expect(second[c * 144 + y * 12 + x]).toBe(Math.fround(expected.data[(y * 12 + x) * 3 + c]! / 255));
    }
    expect(batches[2]!.pixels).toHaveLength(3 * 12 * 12);
  });

  it("leaves out what is no image, fills its place with the next, and reports it", async () => {
    const skips: SkippedImage[] = [];
    const order = all(folder);
    const batches = await collect(folder, { size: 16, batch: 4, order, onSkip: (skip) => skips.push(skip) });
    expect(batches.map(({ ids }) => ids)).toEqual([
      ["images/00.jpg", "images/01.jpg", "images/02.jpg", "images/05.jpg"],
      ["images/06.jpg", "images/07.jpg", "images/08.jpg", "images/10.jpg"],
    ]);
    expect(skips.map(({ id }) => id)).toEqual(broken);
    expect(skips.map(({ reason }) => reason)).toEqual([
      expect.stringContaining("premature end"),
      expect.stringContaining("unsupported image format"),
      expect.stringContaining("ENOENT"),
    ]);
    // The pixels move up together with the names: red rises by 20 grey levels an image.
    const red = batches.flatMap(({ pixels }) =>
      [0, 1, 2, 3].map((i) => Math.round((pixels[i * 768 + 100]! * 255) / 20)),
    );
    expect(red).toEqual([0, 1, 2, 5, 6, 7, 8, 10]);
  });

  it("gives the same batches with any number of workers and any prefetch", async () => {
    const order = [...all(folder), ...all(folder).reverse()];
    const one = await collect(folder, { size: 8, batch: 5, order });
    expect(one.map(({ count }) => count)).toEqual([5, 5, 5, 1]);
    expect(await collect(folder, { size: 8, batch: 5, order, workers: 3, prefetch: 1 })).toEqual(one);
    expect(await collect(folder, { size: 8, batch: 5, order, workers: 2, prefetch: 9 })).toEqual(one);
  });

  it("under strict, fails naming the file, after the batches before it", async () => {
    const seen: string[] = [];
    const iterate = async () => {
      const options = { size: 8, batch: 2, order: all(folder), strict: true };
      for await (const { ids } of openBatches(folder, options)) seen.push(...ids);
    };
    const failure = await iterate().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UsageError);
    expect((failure as Error).message).toContain(join(root, "data", "images/03.jpg"));
    expect(seen).toEqual(["images/00.jpg", "images/01.jpg"]);
  });

  it("gives nothing where nothing is ordered or nothing can be read", async () => {
    expect(await collect(folder, { size: 8, batch: 2, order: [] })).toEqual([]);
    const order = broken.map((id) => folder.items.findIndex((item) => item.id === id));
    expect(await collect(folder, { size: 8, batch: 2, order })).toEqual([]);
  });

  it("gives arrays of their own: no batch changes when another is written to", async () => {
    const [first, second] = await collect(folder, { size: 8, batch: 2, order: all(folder) });
    const before = second!.pixels.slice();
    first!.pixels.fill(9);
    expect(second!.pixels).toEqual(before);
  });

  it("can be iterated again, from the beginning", async () => {
    const batches = openBatches(synthetic({ count: 4 }), { size: 8, batch: 2, order: [0, 1, 2, 3] });
    for await (const batch of batches) {
      expect(batch.indices).toEqual([0, 1]);
      break;
    }
    const seen: number[] = [];
    for await (const { indices } of batches) seen.push(...indices);
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  it("reads on while the main thread is busy", async () => {
    const options = { size: 64, batch: 16, order: Array.from({ length: 48 }, (_, i) => i), prefetch: 2 };
    const iterator = openBatches(synthetic({ count: 48 }), options)[Symbol.asyncIterator]();
    await iterator.next();
    const end = performance.now() + 1500;
    while (performance.now() < end);
    // Both batches are ready. Taking them needs only a few turns of the event loop.
    const turns = { count: 0 };
    const counting = setInterval(() => turns.count++, 1);
    await iterator.next();
    await iterator.next();
    clearInterval(counting);
    expect(turns.count).toBeLessThan(20);
    await iterator.return?.();
  });

  it.each([
    ["size", { size: 0 }],
    ["batch", { batch: 1.5 }],
    ["prefetch", { prefetch: 0 }],
    ["workers", { workers: -1 }],
    ["image 99 of 11", { order: [0, 99] }],
  ])("refuses an unusable option at once: %s", (message, wrong) => {
    expect(() => openBatches(folder, { size: 8, batch: 2, order: [0], ...wrong })).toThrow(UsageError);
    expect(() => openBatches(folder, { size: 8, batch: 2, order: [0], ...wrong })).toThrow(message);
  });
});

/** A program that takes one batch and then finishes, leaves, drops the iterator, or fails. */
const program = (index: string) => `
  import { openBatches, synthetic } from ${JSON.stringify(index)};
  const batches = openBatches(synthetic({ count: 64 }), { size: 16, batch: 4, order: Array.from({ length: 64 }, (_, i) => i), workers: 2 });
  const end = process.argv[2];
  let images = 0;
  if (end === "drop") images += (await batches[Symbol.asyncIterator]().next()).value.count;
  else for await (const batch of batches) { images += batch.count; if (end === "break") break; }
  console.log(end, images);
`;

describe("a program that reads batches ends by itself", () => {
  const ends = [
    ["finish", 64],
    ["break", 4],
    ["drop", 4],
  ] as const;

  it.each(ends)("from TypeScript: %s", (end, images) => {
    const file = join(root, "program.mts");
    writeFileSync(file, program(pathToFileURL(join(repository, "src/data/index.ts")).href));
    const tsx = pathToFileURL(join(repository, "node_modules/tsx/dist/loader.mjs")).href;
    const result = spawnSync(process.execPath, ["--import", tsx, file, end], { encoding: "utf8", timeout: 60_000 });
    expect(result.stderr).toBe("");
    expect([result.status, result.stdout.trim()]).toEqual([0, `${end} ${images}`]);
  });

  it("built to JavaScript, without the TypeScript loader", () => {
    const built = join(root, "built");
    const compiler = join(repository, "node_modules/@typescript/native/bin/tsc");
    const settings = join(root, "tsconfig.json");
    writeFileSync(
      settings,
      JSON.stringify({
        extends: join(repository, "tsconfig.build.json"),
        compilerOptions: {
          rootDir: join(repository, "src"),
          outDir: built,
          typeRoots: [join(repository, "node_modules/@types")],
        },
        include: [],
        exclude: [],
        files: [join(repository, "src/data/index.ts")],
      }),
    );
    execFileSync(process.execPath, [compiler, "-p", settings]);
    writeFileSync(join(root, "package.json"), '{ "type": "module" }');
    symlinkSync(join(repository, "node_modules"), join(root, "node_modules"));
    const file = join(root, "program.js");
    writeFileSync(file, program(pathToFileURL(join(built, "data/index.js")).href));
    for (const [end, images] of ends) {
      const result = spawnSync(process.execPath, [file, end], { encoding: "utf8", timeout: 60_000 });
      expect(result.stderr).toBe("");
      expect([result.status, result.stdout.trim()]).toEqual([0, `${end} ${images}`]);
    }
  });
});

describe("at native resolution", () => {
  async function pictures(...sizes: readonly (readonly [number, number])[]): Promise<ImageSource> {
    const folder = mkdtempSync(join(root, "native-"));
    const items = await Promise.all(
      sizes.map(async ([width, height], i) => {
        const path = join(folder, `${i}.png`);
        await sharp({ create: { width, height, channels: 3, background: { r: 10 * i, g: 0, b: 0 } } }).toFile(path);
        return { id: `${i}.png`, location: { kind: "file", path } } as const;
      }),
    );
    return { name: "pictures", items };
  }

  it("images keep their size; another size is reported, not resized", async () => {
    const source = await pictures([6, 6], [6, 7], [6, 6]);
    expect(await nativeSize(source)).toBe(6);
    const skipped: string[] = [];
    const options = { size: 6, exact: true, batch: 3, order: [0, 1, 2] };
    for await (const { ids } of openBatches(source, { ...options, onSkip: ({ reason }) => skipped.push(reason) })) {
      expect(ids).toEqual(["0.png", "2.png"]);
    }
    expect(skipped).toEqual(["it is 6 x 7 pixels, and 6 x 6 are needed, since nothing is resized or cut"]);
  });

  it("needs squares, and files", async () => {
    await expect(nativeSize(await pictures([6, 7]))).rejects.toThrow(/6 x 7 pixels.*squares of one size/);
    await expect(nativeSize(synthetic({ count: 1 }))).rejects.toThrow(/no resolution of their own/);
  });
});
