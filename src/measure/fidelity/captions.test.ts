import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { synthetic } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { readCaptions } from "./captions.ts";
import { recallAt } from "./recall.ts";

const folder = mkdtempSync(join(tmpdir(), "lore-captions-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Images synthetic/test/0 to synthetic/test/2. */
const source = synthetic({ count: 3, split: "test" });

function captions(name: string, content: string) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return readCaptions(path, source);
}

const coco = {
  images: [
    { id: 7, file_name: "2" },
    { id: 8, file_name: "elsewhere.jpg" },
  ],
  annotations: [
    { image_id: 7, caption: "a ring, red" },
    { image_id: 8, caption: "a cat" },
    { image_id: 7, caption: "a circle" },
  ],
};

test.each([
  ["coco.json", JSON.stringify(coco)],
  ["map.json", JSON.stringify({ "synthetic/test/2": ["a ring, red", "a circle"], "elsewhere.jpg": "a cat" })],
  ["flickr.tsv", "synthetic/test/2#0\ta ring, red\nsynthetic/test/2#1\ta circle\n\nelsewhere.jpg#0\ta cat\n"],
  ["two.csv", '2,"a ring, red"\r\n2,a circle\r\nelsewhere.jpg,a cat\r\n'],
])("%s: captions by image, and the files that are none of the source's", (name, content) => {
  const { byImage, faults } = captions(name, content);
  expect([...byImage]).toEqual([[2, ["a ring, red", "a circle"]]]);
  expect(faults).toEqual([expect.stringMatching(/^The captions of 1 file in .* are left out .*no such images/)]);
});

test.each([
  [
    "no image of the source",
    "other.json",
    '{"cat.jpg": "a cat"}',
    /such as cat.jpg, is among .*, such as synthetic\/test\/0/,
  ],
  ["another form", "list.json", "[1, 2]", /no captions that can be read/],
  ["nothing", "empty.csv", "", /holds no captions/],
  ["no second column", "one.tsv", "cat.jpg\n", /"cat.jpg" has no tab/],
])("%s is refused", (_, name, content, message) => {
  expect(() => captions(name, content)).toThrow(UsageError);
  expect(() => captions(name, content)).toThrow(message);
});

test("recall counts the texts whose own image is among the k nearest by cosine, whatever the lengths", () => {
  const images = Float32Array.of(5, 0, 1, 1, 0, 0.1);
  // Nearest first: text 0 has images 0, 1, 2; text 1 has 2, 1, 0.
  const texts = Float32Array.of(1, 0, 0, 1);
  const recall = (owners: readonly number[]) => recallAt({ texts, owners }, images, 2, [1, 2, 3]);
  expect(recall([0, 2])).toEqual([1, 1, 1]);
  expect(recall([1, 2])).toEqual([0.5, 1, 1]);
  expect(recall([2, 0])).toEqual([0, 0, 1]);
});

test("of a file name that several images have: by their paths alone, in folders and in archives", () => {
  const item = (id: string) => ({ id, location: { kind: "file", path: id } as const });
  const photos = {
    name: "photos",
    items: [item("a/1.jpg"), item("b/1.jpg"), item("b/2.jpg"), item("train/0.tar: x/3.jpg")],
  };
  const path = join(folder, "ambiguous.csv");
  writeFileSync(path, "image,caption\n1.jpg,a cat\nb/1.jpg,a dog\n2.jpg,a newt\n3.jpg,an owl\n");
  const { byImage, faults } = readCaptions(path, photos);
  expect([...byImage]).toEqual([
    [1, ["a dog"]],
    [2, ["a newt"]],
    [3, ["an owl"]],
  ]);
  expect(faults).toEqual([
    expect.stringMatching(/captions of 1 file .* \(1\.jpg\): several images of photos have these names/),
  ]);
  writeFileSync(path, "1.jpg,a cat\n");
  expect(() => readCaptions(path, photos)).toThrow(
    /several images of photos are called 1\.jpg; give their paths, as a\/1\.jpg/,
  );
});
