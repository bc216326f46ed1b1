import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { imageFolder } from "./folder.ts";

const root = mkdtempSync(join(tmpdir(), "lore-folder-"));
afterAll(() => rmSync(root, { recursive: true }));

let count = 0;
/** A new folder that holds these files; `classes.json` gets the text given, images stay empty. */
function folder(files: readonly string[], classes?: unknown): string {
  const path = join(root, `${count++}`, "data");
  mkdirSync(path, { recursive: true });
  for (const file of files) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), "");
  }
  if (classes !== undefined) writeFileSync(join(path, "..", "classes.json"), JSON.stringify(classes));
  return path;
}

describe("imageFolder", () => {
  it("takes one sub-folder a class, sorted, with nested images", () => {
    const path = folder([
      "b/2.jpg",
      "b/10.PNG",
      "a/deep/x.webp",
      "a/b.jpeg",
      "a/notes.txt",
      "a/.hidden.jpg",
      "loose.jpg",
    ]);
    const source = imageFolder(path);
    expect(source.items.map(({ id, label }) => [id, label])).toEqual([
      ["a/b.jpeg", 0],
      ["a/deep/x.webp", 0],
      ["b/10.PNG", 1],
      ["b/2.jpg", 1],
    ]);
    expect(source.items[0]!.location).toEqual({ kind: "file", path: join(path, "a/b.jpeg") });
    expect(source.classes).toEqual([
      { folder: "a", name: "a" },
      { folder: "b", name: "b" },
    ]);
  });

  it("takes a plain folder without labels", () => {
    const source = imageFolder(folder(["2.jpg", "10.jpg", "readme.md", "empty/readme.md"]));
    expect(source.items.map(({ id }) => id)).toEqual(["10.jpg", "2.jpg"]);
    expect(source.items.every((item) => item.label === undefined)).toBe(true);
    expect(source.classes).toBeUndefined();
  });

  it("follows links to class folders", () => {
    const target = folder(["cats/1.jpg"]);
    const path = folder(["dogs/1.jpg"]);
    symlinkSync(join(target, "cats"), join(path, "cats"));
    expect(imageFolder(path).items.map(({ id }) => id)).toEqual(["cats/1.jpg", "dogs/1.jpg"]);
  });

  it("finds classes.json above and maps folders to names and head indices", () => {
    const path = folder(
      ["n2/a.jpg", "n1/a.jpg", "n3/a.jpg"],
      [
        { wnid: "n1", imagenetIndex: 7, name: "newt" },
        { folder: "n2", index: 3, name: "owl" },
      ],
    );
    expect(imageFolder(path).classes).toEqual([
      { folder: "n1", name: "newt", headIndex: 7 },
      { folder: "n2", name: "owl", headIndex: 3 },
      { folder: "n3", name: "n3" },
    ]);
  });

  it("takes the class file given, and refuses one of other data", () => {
    const path = folder(["cat/a.jpg"]);
    const file = join(root, "other.json");
    writeFileSync(file, JSON.stringify([{ folder: "cat", name: "house cat" }]));
    expect(imageFolder(path, { classesFile: file }).classes).toEqual([{ folder: "cat", name: "house cat" }]);
    writeFileSync(file, JSON.stringify([{ folder: "n01443537", name: "goldfish" }]));
    expect(() => imageFolder(path, { classesFile: file })).toThrow(/knows none of the classes.*"cat"/);
  });

  it("takes class names as a plain list in the order of the folders, or by folder", () => {
    const path = folder(["n2/a.jpg", "n1/a.jpg"], ["newt", "great owl"]);
    const expected = [
      { folder: "n1", name: "newt" },
      { folder: "n2", name: "great owl" },
    ];
    expect(imageFolder(path).classes).toEqual(expected);
    writeFileSync(join(path, "../classes.json"), JSON.stringify({ n2: "great owl", n1: "newt", n3: "orca" }));
    expect(imageFolder(path).classes).toEqual(expected);
  });

  it("takes classnames.txt and prompt templates beside the folders or one level above", () => {
    const path = folder(["n2/a.jpg", "n1/a.jpg"]);
    const file = join(path, "../classnames.txt");
    writeFileSync(file, "newt\ngreat owl\n");
    writeFileSync(join(path, "zeroshot_classification_templates.txt"), "\na photo of a {c}.\n\n");
    const { classes, templates } = imageFolder(path);
    expect(classes!.map(({ name }) => name)).toEqual(["newt", "great owl"]);
    expect(templates).toEqual(["a photo of a {}."]);
    expect(imageFolder(join(path, "n1")).templates).toEqual(templates);
    writeFileSync(join(path, "zeroshot_classification_templates.txt"), "\n \n");
    expect(() => imageFolder(path)).toThrow(/templates\.txt: the file holds none/);
    writeFileSync(join(path, "zeroshot_classification_templates.txt"), "a photo of a {c}.\n");
    writeFileSync(file, "newt\n");
    expect(() => imageFolder(path)).toThrow(/classnames\.txt holds 1 name for 2 classes/);
    // Label order; the folders are sorted.
    writeFileSync(file, "n2\nn1\n");
    expect(imageFolder(path).classes!.map(({ name }) => name)).toEqual(["n1", "n2"]);
  });

  it.each([
    ["is no JSON array", 3],
    ['gives "a" a name', { a: 1 }],
    ["holds 2 names for 1 class (", ["newt", "owl"]],
    ['entry 1 has no "folder"', [{ folder: "a" }, { name: "b" }]],
    ['entry 0 has an "index"', [{ folder: "a", index: 1.5 }]],
    ['entry 1 repeats folder "a"', [{ folder: "a" }, { folder: "a" }]],
  ])("says where a class file %s", (message, classes) => {
    const path = folder(["a/1.jpg"], classes);
    expect(() => imageFolder(path)).toThrow(UsageError);
    expect(() => imageFolder(path)).toThrow(message);
  });

  it("refuses what is no folder of images, saying what was wrong", () => {
    const path = folder(["a/1.jpg"]);
    expect(() => imageFolder(join(path, "b"))).toThrow(/does not exist/);
    expect(() => imageFolder(join(path, "a/1.jpg"))).toThrow(/is a file/);
    expect(() => imageFolder(folder(["notes.txt"]))).toThrow(/holds no images/);
    expect(() => imageFolder(folder([]))).toThrow(UsageError);
    expect(() => imageFolder(path, { classesFile: join(path, "no.json") })).toThrow(/no\.json cannot be read/);
  });

  it("refuses the root of a data set above its splits, but takes classes that are called so", () => {
    expect(() => imageFolder(folder(["train/a/1.jpg", "val/a/1.jpg"]))).toThrow(/Give one of them: .*train, .*val/);
    expect(() => imageFolder(folder(["train/a/1.jpg", "val/a/1.jpg", "masks/1.png"]))).toThrow(
      /Give one of them: \S+train, \S+val\.$/,
    );
    expect(imageFolder(folder(["train/a/1.jpg", "bus/1.jpg"])).classes).toHaveLength(2);
    expect(imageFolder(folder(["train/1.jpg", "bus/1.jpg"])).classes).toHaveLength(2);
    expect(imageFolder(folder(["train/1.jpg"])).classes).toHaveLength(1);
  });
});

const photos = fileURLToPath(new URL("../../../shared/data/tiny-imagenet-50/", import.meta.url));
const hasData = existsSync(photos);

describe.skipIf(!hasData)(`imageFolder on photographs${hasData ? "" : " (no ../shared/data)"}`, () => {
  it("reads 50 classes with their ImageNet indices", () => {
    const source = imageFolder(`${photos}val`);
    expect(source.items).toHaveLength(2500);
    expect(source.classes).toHaveLength(50);
    expect(source.classes![0]).toEqual({ folder: "n01443537", name: "goldfish", headIndex: 1 });
    expect(source.classes![49]).toEqual({ folder: "n09428293", name: "beach", headIndex: 978 });
  });
});
