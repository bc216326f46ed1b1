import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { imageFolder } from "./folder.ts";
import { openSource } from "./open.ts";
import { chooseImages } from "./order.ts";
import type { ImageSource, Remark } from "./source.ts";
import { webDataset } from "./webdataset.ts";

const root = mkdtempSync(join(tmpdir(), "lore-remarks-"));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;
function folder(files: readonly string[], content: Readonly<Record<string, unknown>> = {}): string {
  const path = join(root, `${count++}`, "data");
  mkdirSync(path, { recursive: true });
  for (const file of files) {
    mkdirSync(file.endsWith("/") ? join(path, file) : dirname(join(path, file)), { recursive: true });
    if (!file.endsWith("/")) writeFileSync(join(path, file), "");
  }
  for (const [name, json] of Object.entries(content)) writeFileSync(join(path, name), JSON.stringify(json));
  return path;
}

/** A tar file with empty images, and with texts. */
async function tar(entries: Readonly<Record<string, string>>): Promise<string> {
  const archive = pack();
  for (const [name, text] of Object.entries(entries)) archive.entry({ name }, text);
  archive.finalize();
  const path = join(root, `${count++}`, "0.tar");
  mkdirSync(dirname(path));
  writeFileSync(path, await buffer(archive));
  return path;
}

/** Kind and sentence of the only remark. */
function only({ remarks = [] }: ImageSource): string {
  expect(remarks).toHaveLength(1);
  const [{ kind, message }] = remarks as [Remark];
  return `${kind}: ${message}`;
}

describe("what a folder leaves out", () => {
  it("is nothing where every file is used, or no image", () => {
    const path = folder(["a/1.jpg", "a/1.txt", "a/README", "a/.hidden.bmp", "b/1.png", "classes.csv", "notes.md"]);
    expect(imageFolder(path)).not.toHaveProperty("remarks");
  });

  it("classes without images", () => {
    const path = folder(["cat/1.jpg", "dog/", "newt/notes.txt", "owl/1.jpg"]);
    expect(imageFolder(path).classes).toHaveLength(2);
    expect(only(imageFolder(path))).toMatch(
      /^fault: .*2 sub-folders hold no images \(dog, newt\).* 2 classes instead of 4/,
    );
  });

  it("but not classes that a file names: they stay, so that accuracy is among as many", () => {
    const files = ["cat/1.jpg", "dog/", "owl/1.jpg", "zoo/"];
    for (const names of [
      { cat: "cat", dog: "dog", owl: "owl" },
      { dog: "dog", owl: "an owl" },
    ]) {
      const source = imageFolder(folder(files, { "classes.json": names }));
      expect(source.classes!.map((one) => one.folder)).toEqual(["cat", "dog", "owl"]);
      expect(source.items.map(({ id, label }) => [id, label])).toEqual([
        ["cat/1.jpg", 0],
        ["owl/1.jpg", 2],
      ]);
      const told = source.remarks!.map(({ kind, message }) => `${kind}: ${message}`);
      expect(told[0]).toMatch(/^fault: .*1 class has no images \(dog\)/);
      expect(told[1]).toMatch(/^fault: .*1 sub-folder holds no images \(zoo\), .* 3 classes instead of 4/);
    }
    const listed = imageFolder(folder(files, { "classes.json": ["a", "b", "c", "d"] }));
    expect(listed.classes!.map(({ name }) => name)).toEqual(["a", "b", "c", "d"]);
    expect(only(listed)).toMatch(/^fault: .*2 classes have no images \(dog, zoo\)/);
    const few = imageFolder(folder(files, { "classes.json": ["a", "c"] }));
    expect([few.classes!.map(({ name }) => name), few.items.map(({ label }) => label)]).toEqual([
      ["a", "c"],
      [0, 1],
    ]);
  });

  it("images of other names, in other formats or beside the classes", () => {
    const path = folder(["a/1.jpg", "a/2.bmp", "a/deep/3.HEIC", "a/4.bmp", "a/photo", "a/5.jfif"]);
    expect(imageFolder(path).items.map(({ id }) => id)).toEqual(["a/1.jpg", "a/5.jfif"]);
    expect(only(imageFolder(path))).toMatch(
      /^fault: .*4 files are left out.*\(2 with \.bmp, 1 with \.heic, 1 with no extension; the first is a\/2\.bmp\)/,
    );
    expect(only(imageFolder(folder(["a/1.jpg", "2.jpg", "x.bmp"])))).toMatch(
      /^fault: .*1 image lies beside.*\(2\.jpg\)/,
    );
    expect(only(imageFolder(folder(["1.jpg", "2.bmp"])))).toMatch(/^fault: .*1 file is left out/);
  });

  it("names that a class file does not give, or gives to nothing here", async () => {
    const files = ["n1/a.jpg", "n2/a.jpg", "n3/a.jpg"];
    const names = { n1: "newt", n2: "owl", n8: "orca", n9: "elk" };
    const { remarks } = imageFolder(folder(files, { "classes.json": names }));
    expect(remarks!.map(({ kind }) => kind)).toEqual(["names", "fact"]);
    expect(remarks![0]!.message).toMatch(/says nothing of 1 of the 3 classes \(n3\)/);
    expect(remarks![1]!.message).toMatch(/^Of the 4 classes in .*classes\.json, 2 are here/);
    const given = join(dirname(folder([], {})), "given.json");
    writeFileSync(given, JSON.stringify(names));
    const source = await openSource(folder(files), { classesFile: given });
    expect(source.remarks!.map(({ kind }) => kind)).toEqual(["fault", "fact"]);
    expect(only(await openSource(folder(["1.jpg"]), { classesFile: given }))).toMatch(/^fault: .*no labels.*not used/);
    await expect(openSource("synthetic:8", { classesFile: given })).rejects.toThrow(/classes of their own/);
  });

  it("nothing where a list of names would give them to other classes: refused", () => {
    const named = (folders: readonly string[], names: readonly string[]) => () =>
      imageFolder(
        folder(
          folders.map((name) => `${name}/a.jpg`),
          { "classes.json": names },
        ),
      );
    expect(named(["cat", "dog", "great_dane"], ["dog", "cat", "great dane"])).toThrow(/call the folder "cat" .* "dog"/);
    expect(named(["cat", "dog", "great_dane"], ["cat", "dog", "great dane"])).not.toThrow();
    const eleven = Array.from({ length: 11 }, (_, i) => `${i}`);
    const letters = eleven.map((_, i) => String.fromCharCode(97 + i));
    expect(named(eleven, letters)).toThrow(/are numbers, and as text "10" comes before smaller ones/);
    expect(named(eleven.slice(0, 10), letters.slice(0, 10))).not.toThrow();
  });
});

describe("what a WebDataset leaves out", () => {
  it("is nothing where every sample has an image", async () => {
    expect(
      webDataset(await tar({ "a.jpg": "", "a.cls": "cat", "a.seg.png": "", "readme.md": "x" })),
    ).not.toHaveProperty("remarks");
  });

  it("images whose names have dots are read, with what is theirs, and told of", async () => {
    const source = webDataset(
      await tar({
        ...{ "set.v2/x.1.jpg": "", "set.v2/x.1.cls": "1", "set.v2/x.2.JPG": "", "set.v2/x.2.cls": "0" },
        ...{ "y.large.png": "", "y.cls": "1", "y.txt": "a newt" },
      }),
    );
    expect(source.items.map(({ id, label, caption }) => [id, label, caption])).toEqual([
      ["0.tar: set.v2/x.1.jpg", 1, undefined],
      ["0.tar: set.v2/x.2.JPG", 0, undefined],
      ["0.tar: y.large.png", 1, "a newt"],
    ]);
    expect(source.remarks!.map(({ kind }) => kind)).toEqual(["fact", "names"]);
    expect(source.remarks![0]!.message).toMatch(
      /3 images have a dot in the name .*the first is 0\.tar: set\.v2\/x\.1\.jpg/,
    );
  });

  it("samples without an image, with several, and entries without an extension", async () => {
    const left = async (entries: Readonly<Record<string, string>>): Promise<string> =>
      only(webDataset(await tar({ "a.jpg": "", "a.cls": "cat", ...entries })));
    expect(await left({ "b.bmp": "", "b.cls": "cat" })).toMatch(
      /^fault: .*1 sample has no image.*0\.tar: b\.bmp and b\.cls/,
    );
    expect(await left({ "b.cls": "cat" })).toMatch(/^fault: .*1 sample has no image/);
    expect(await left({ "b.left.jpg": "", "b.right.jpg": "", "b.cls": "cat" })).toMatch(
      /^fault: .*1 sample has no image/,
    );
    expect(await left({ "a.png": "" })).toMatch(/^fault: .*1 sample has several images.*a\.jpg and a\.png/);
    expect(await left({ "photos/b": "" })).toMatch(/^fault: .*1 file is left out.*0\.tar: photos\/b/);
    const none = await tar({ "b.bmp": "", "b.cls": "0" });
    expect(() => webDataset(none)).toThrow(/^No image is left\. .*1 sample has no image/);
  });

  it("compressed archives beside the others", async () => {
    const path = dirname(await tar({ "a.jpg": "", "a.cls": "cat" }));
    writeFileSync(join(path, "1.tar.gz"), "");
    expect(only(webDataset(path))).toMatch(/^fault: .*1 archive is compressed and left out \(1\.tar\.gz\)/);
  });

  it("classes without images, and names of classes", async () => {
    const path = await tar({ "a.jpg": "", "a.cls": "2" });
    const { remarks } = webDataset(path);
    expect(remarks!.map(({ kind }) => kind)).toEqual(["names", "fact"]);
    expect(remarks![0]!.message).toMatch(/called by their numbers/);
    expect(remarks![1]!.message).toMatch(/no images of 2 of the 3 classes \(0, 1\)/);
    writeFileSync(join(dirname(path), "classnames.txt"), "newt\nowl\nelk\n");
    expect(only(webDataset(path))).toMatch(/^fact: .*\(newt, owl\)/);
    const given = join(dirname(path), "given.json");
    writeFileSync(given, '["a", "b", "c"]');
    rmSync(join(dirname(path), "classnames.txt"));
    expect((await openSource(path, { classesFile: given })).remarks!.map(({ kind }) => kind)).toEqual(["fact"]);
  });
});

describe("chooseImages", () => {
  it("tells of faults and of a limit that there are not enough images for; errors under strict", () => {
    const source = imageFolder(folder(["a/1.jpg", "a/2.bmp", "b/1.jpg"]));
    const told: string[] = [];
    const onWarning = (message: string) => told.push(message);
    expect(chooseImages(source, { seed: 0, onWarning })).toHaveLength(2);
    expect(told).toEqual([expect.stringMatching(/1 file is left out/)]);
    expect(() => chooseImages(source, { seed: 0, strict: true })).toThrow(UsageError);
    expect(() => chooseImages(source, { seed: 0, strict: true })).toThrow(/1 file is left out.*Without --strict/);
    const { remarks: _, ...sound } = source;
    told.length = 0;
    expect(chooseImages(sound, { limit: 3, seed: 0, onWarning })).toHaveLength(2);
    expect(told).toEqual([expect.stringMatching(/3 images were asked for.* has 2/)]);
    expect(() => chooseImages(sound, { limit: 3, seed: 0, strict: true })).toThrow(/3 images were asked for/);
    expect(chooseImages(sound, { limit: 2, seed: 0, strict: true })).toHaveLength(2);
  });
});
