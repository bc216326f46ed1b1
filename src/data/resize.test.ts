import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { decodeImage } from "./decode.ts";
import { preprocess, resizeBicubic } from "./resize.ts";
import type { RawImage } from "./source.ts";

/** A picture with edges and gradients that needs no file; the same formula made the goldens below with Pillow. */
function pattern(width: number, height: number): RawImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++, i++) {
        data[i] = ((x * 7 + y * 13 + c * 101) % 256) + ((x * x * 31 + y * y * 17 + x * y * 5 + c * 59) % 97) * 3;
      }
    }
  }
  return { width, height, data };
}

function adler32(data: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

describe("preprocess", () => {
  // Pillow 9.4: resize of the shortest side, then centre crop, with torchvision's rounding; Adler-32 of the RGB bytes.
  it.each([
    [500, 375, 224, 1584998276],
    [375, 500, 224, 1691388459],
    [64, 64, 96, 3549562583],
    [64, 64, 112, 1358507019],
    [61, 47, 33, 3056088541],
    [47, 61, 224, 1596554140],
    [333, 500, 32, 1918171624],
    [224, 224, 224, 2680334821],
    [224, 301, 224, 280812162],
    [1, 1, 5, 1920205576],
    [3, 200, 8, 3393608886],
    [1023, 767, 64, 3784895247],
    [2, 3, 7, 3364374248],
    [101, 100, 99, 3493787931],
    [225, 100, 100, 2795275028],
    [100, 103, 100, 2665883589],
    [96, 64, 64, 3672414404],
  ])("gives Pillow's bytes for %ix%i -> %i", (width, height, size, checksum) => {
    const result = preprocess(pattern(width, height), size);
    expect(result).toMatchObject({ width: size, height: size });
    expect(adler32(result.data)).toBe(checksum);
  });

  it("keeps one colour exactly, whatever the sizes", () => {
    const side = fc.integer({ min: 1, max: 60 });
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(side, side, side, byte, (width, height, size, level) => {
        const image = { width, height, data: new Uint8Array(width * height * 3).fill(level) };
        const result = preprocess(image, size);
        expect(result.data.length).toBe(size * size * 3);
        expect(result.data.every((value) => value === level)).toBe(true);
      }),
    );
  });

  it("leaves its input alone", () => {
    const image = pattern(9, 7);
    const before = Uint8Array.from(image.data);
    preprocess(image, 7).data.fill(0);
    expect(image.data).toEqual(before);
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses size %d", (size) => {
    expect(() => preprocess(pattern(4, 4), size)).toThrow(UsageError);
  });
});

describe("resizeBicubic", () => {
  it.each([
    [50, 40, 17, 90, 874236420],
    [40, 50, 40, 20, 1029413413],
    [40, 50, 20, 50, 1627177119],
  ])("gives Pillow's bytes for %ix%i -> %ix%i", (width, height, newWidth, newHeight, checksum) => {
    expect(adler32(resizeBicubic(pattern(width, height), newWidth, newHeight).data)).toBe(checksum);
  });
});

const data = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const hasData = existsSync(data);

describe.skipIf(!hasData)(`decode and resize against Pillow's pixels${hasData ? "" : " (no ../shared/data)"}`, () => {
  const fixture = `${data}fixtures/deit-tiny-lore-parity-96`;

  it("are equal in every byte for four photographs, 64 -> 96", async () => {
    const { files } = JSON.parse(readFileSync(`${fixture}.json`, "utf8")) as { files: string[] };
    const expected = readTensor(`${fixture}.safetensors`, "images_u8");
    const images = await Promise.all(
      files.map((file) => decodeImage(readFileSync(`${data}tiny-imagenet-50/${file}`)).then((i) => preprocess(i, 96))),
    );
    const actual = images.flatMap((image) => [...image.data]);
    expect(actual.length).toBe(expected.length);
    const differences = actual.map((value, i) => Math.abs(value - expected[i]!));
    const mean = differences.reduce((a, b) => a + b) / differences.length;
    console.info(
      `difference to Pillow, grey levels of 255: mean ${mean}, maximum ${Math.max(...new Set(differences))}`,
    );
    expect(differences.every((difference) => difference === 0)).toBe(true);
  });
});

/** The bytes of one U8 tensor of a safetensors file. */
function readTensor(path: string, name: string): Uint8Array {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, 8 + headerLength));
  const [start, end] = header[name].data_offsets as [number, number];
  return file.subarray(8 + headerLength + start, 8 + headerLength + end);
}
