import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { decodeImage } from "./decode.ts";

/** Made by hand; the expected pixels are those of Pillow 12.3, `Image.open(file).convert("RGB")`. */
const cases: readonly (readonly [name: string, size: readonly number[], file: string, pixels: readonly number[]])[] = [
  [
    "transparent",
    [4, 2],
    "R0lGODlhBAACAPEAAMgKHgVa+jw9Pv8AgCH5BAEAAAEALAAAAAAEAAIAAAgMAAEEEDBggIAAAAICADs=",
    [200, 10, 30, 5, 90, 250, 60, 61, 62, 255, 0, 128, 255, 0, 128, 60, 61, 62, 5, 90, 250, 200, 10, 30],
  ],
  [
    "smaller than the screen, transparent",
    [4, 4],
    "R0lGODlhBAAEAPEAAMgKHgVa+jw9Pv8AgCH5BAEAAAMALAEAAQACAAIAAAgHAAEEEDAgIAA7",
    [
      255, 0, 128, 255, 0, 128, 255, 0, 128, 255, 0, 128, 255, 0, 128, 200, 10, 30, 5, 90, 250, 255, 0, 128, 255, 0,
      128, 60, 61, 62, 255, 0, 128, 255, 0, 128, 255, 0, 128, 255, 0, 128, 255, 0, 128, 255, 0, 128,
    ],
  ],
  [
    "smaller than the screen",
    [4, 3],
    "R0lGODlhBAADAPECAMgKHgVa+jw9Pv8AgCwBAAAAAgACAAAIBwAHBBAwICAAOw==",
    [
      200, 10, 30, 255, 0, 128, 5, 90, 250, 200, 10, 30, 200, 10, 30, 60, 61, 62, 255, 0, 128, 200, 10, 30, 200, 10, 30,
      200, 10, 30, 200, 10, 30, 200, 10, 30,
    ],
  ],
  [
    "own palette, beyond the screen",
    [4, 4],
    "R0lGODlhAwADAPEAAMgKHgVa+jw9Pv8AgCH5BAEAAAIALAIAAgACAAIAgQECAygyPEZQWvrw5ggHAAEEEDAgIAA7",
    [
      70, 80, 90, 70, 80, 90, 70, 80, 90, 70, 80, 90, 70, 80, 90, 70, 80, 90, 70, 80, 90, 70, 80, 90, 70, 80, 90, 70,
      80, 90, 1, 2, 3, 40, 50, 60, 70, 80, 90, 70, 80, 90, 70, 80, 90, 250, 240, 230,
    ],
  ],
  [
    "no palette, interlaced",
    [2, 5],
    "R0lGODlhAgAFAHAAACwAAAAAAgAFAEAIDgABKKDgAYUMHkagaAkIADs=",
    [
      0, 0, 0, 10, 10, 10, 60, 60, 60, 70, 70, 70, 40, 40, 40, 50, 50, 50, 80, 80, 80, 90, 90, 90, 20, 20, 20, 30, 30,
      30,
    ],
  ],
];

test.each(cases)("Pillow's pixels of a GIF: %s", async (_, size, file, pixels) => {
  const { width, height, data } = await decodeImage(Buffer.from(file, "base64"));
  expect([width, height]).toEqual(size);
  expect([...data]).toEqual(pixels);
});

test.each([20, 30, 50, 56])("a GIF cut short at byte %d is refused", async (length) => {
  const file = Buffer.from(cases[0]![2], "base64");
  await expect(decodeImage(file.subarray(0, length))).rejects.toThrow(/corrupt|read|damaged|short|image/i);
});

const folder = fileURLToPath(new URL("../../../shared/data/faults/gif-transparency/", import.meta.url));
const hasData = existsSync(folder);

test.skipIf(!hasData)(`a photograph with a transparent entry${hasData ? "" : " (no ../shared/data)"}`, async () => {
  const expected = readFileSync(`${folder}pillow-rgb.bin`);
  const { width, height, data } = await decodeImage(readFileSync(`${folder}gif_trns.gif`));
  expect([width, height]).toEqual([expected.readUInt32LE(0), expected.readUInt32LE(4)]);
  expect(Buffer.compare(Buffer.from(data), expected.subarray(8))).toBe(0);
});
