import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { UsageError } from "../errors.ts";
import { asTheyAre, type Framing, framingAt, usualFraming } from "../framing.ts";
import { adler32, pattern } from "../testing/pattern.ts";
import { DecodeError, decodeImage } from "./decode.ts";
import { preprocess } from "./preprocess.ts";

describe("the usual framing", () => {
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
    const result = preprocess(pattern(width, height), usualFraming(size));
    expect(result).toMatchObject({ width: size, height: size });
    expect(adler32(result.data)).toBe(checksum);
  });

  it("keeps one colour exactly, whatever the sizes", () => {
    const side = fc.integer({ min: 1, max: 60 });
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(side, side, side, byte, (width, height, size, level) => {
        const image = { width, height, data: new Uint8Array(width * height * 3).fill(level) };
        const result = preprocess(image, usualFraming(size));
        expect(result.data.length).toBe(size * size * 3);
        expect(result.data.every((value) => value === level)).toBe(true);
      }),
    );
  });

  it("leaves its input alone", () => {
    const image = pattern(9, 7);
    const before = Uint8Array.from(image.data);
    preprocess(image, usualFraming(7)).data.fill(0);
    expect(image.data).toEqual(before);
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses size %d", (size) => {
    expect(() => preprocess(pattern(4, 4), usualFraming(size))).toThrow(UsageError);
  });
});

/** Images that are larger and smaller than the square, with even and odd margins. */
const sizes = [
  [64, 48],
  [53, 40],
  [47, 61],
  [33, 32],
  [200, 99],
  [20, 30],
  [31, 31],
] as const;

/**
 * Adler-32 of 32 x 32 pixels in RGB, for each of the sizes: Pillow 12.3's resize, then the centre as `center_crop` of
 * transformers 5.18 (down) or torchvision's `center_crop` (even) takes it, padding with black.
 */
const framed: readonly (readonly [Framing["resize"], Framing["crop"], readonly number[]])[] = [
  [
    { kind: "shortest", edge: 40, filter: "bicubic" },
    "down",
    [1385551890, 576050461, 4140621390, 750637296, 573897839, 903867965, 272883699],
  ],
  [
    { kind: "shortest", edge: 40, filter: "bicubic" },
    "even",
    [1385551890, 576050461, 1654185598, 750637296, 573897839, 903867965, 272883699],
  ],
  [
    { kind: "shortest", edge: 32, filter: "bilinear" },
    "down",
    [2185155709, 2386482343, 927851507, 3214331868, 1564605133, 2759064378, 2137906492],
  ],
  [
    { kind: "shortest", edge: 32, filter: "bilinear" },
    "even",
    [2185155709, 2386482343, 927851507, 3214331868, 1564605133, 2759064378, 2137906492],
  ],
  [
    { kind: "exact", width: 36, height: 36, filter: "hamming" },
    "down",
    [3886928747, 2290276762, 440920316, 3332952849, 3091855247, 3350655519, 1576391088],
  ],
  [
    { kind: "exact", width: 36, height: 36, filter: "hamming" },
    "even",
    [3886928747, 2290276762, 440920316, 3332952849, 3091855247, 3350655519, 1576391088],
  ],
  [
    { kind: "exact", width: 35, height: 41, filter: "nearest" },
    "down",
    [3191445277, 662100256, 1552737013, 3955156132, 4238994325, 422437369, 4162778380],
  ],
  [
    { kind: "exact", width: 35, height: 41, filter: "nearest" },
    "even",
    [4142240619, 2698367148, 1576787175, 2042483497, 2605182622, 3600868199, 727314519],
  ],
  [{ kind: "none" }, "down", [670354143, 576050461, 3336425576, 3214331868, 275841184, 1349547998, 106659993]],
  [{ kind: "none" }, "even", [670354143, 576050461, 1561972487, 3214331868, 2657875353, 1349547998, 3288498329]],
  [
    { kind: "shortest", edge: 27, filter: "lanczos" },
    "down",
    [820505398, 3794793790, 2158754932, 1931683611, 3321890922, 3646820216, 2836344295],
  ],
  [
    { kind: "shortest", edge: 27, filter: "lanczos" },
    "even",
    [1777330998, 1781723370, 3034906592, 2467440411, 3985442922, 131207032, 1779379687],
  ],
];

describe.each(framed)("%o, rounded %s", (resize, crop, checksums) => {
  it.each(sizes.map((size, i) => [...size, checksums[i]!] as const))("of %ix%i", (width, height, checksum) => {
    const { width: across, height: down, data } = preprocess(pattern(width, height), { size: 32, resize, crop });
    expect([across, down, adler32(data)]).toEqual([32, 32, checksum]);
  });
});

describe("where nothing is cut", () => {
  test("what fits is taken, and what does not is an error of the image", () => {
    const image = pattern(6, 6);
    expect(preprocess(image, asTheyAre(6)).data).toEqual(image.data);
    expect(() => preprocess(pattern(6, 7), asTheyAre(6))).toThrow(DecodeError);
    expect(() => preprocess(pattern(6, 7), asTheyAre(6))).toThrow("it is 6 x 7 pixels, and 6 x 6 are needed");
    const uncut: Framing = { ...usualFraming(8), crop: "none" };
    expect(preprocess(image, uncut)).toEqual(preprocess(image, usualFraming(8)));
    expect(() => preprocess(pattern(6, 9), uncut)).toThrow(
      "it is 8 x 12 pixels once it is resized, and 8 x 8 are needed",
    );
  });
});

test("at another size of square what images are resized to scales in proportion, rounded down", () => {
  const dinov2: Framing = { size: 224, resize: { kind: "shortest", edge: 256, filter: "bicubic" }, crop: "down" };
  expect(framingAt(dinov2, 112).resize).toMatchObject({ edge: 128 });
  expect(framingAt(dinov2, 98)).toEqual({ ...dinov2, size: 98, resize: { ...dinov2.resize, edge: 112 } });
  expect(framingAt(dinov2, 96).resize).toMatchObject({ edge: 109 });
  expect(framingAt(usualFraming(224), 32)).toEqual(usualFraming(32));
  const stretched: Framing = {
    size: 224,
    resize: { kind: "exact", width: 256, height: 240, filter: "box" },
    crop: "even",
  };
  expect(framingAt(stretched, 28).resize).toMatchObject({ width: 32, height: 30 });
  expect(framingAt(asTheyAre(8), 16)).toEqual(asTheyAre(16));
});

const data = fileURLToPath(new URL("../../../shared/data/", import.meta.url));
const hasData = existsSync(data);

describe.skipIf(!hasData)(`decode and resize against Pillow's pixels${hasData ? "" : " (no ../shared/data)"}`, () => {
  const fixture = `${data}fixtures/deit-tiny-lore-parity-96`;

  it("are equal in every byte for four photographs, 64 -> 96", async () => {
    const { files } = JSON.parse(readFileSync(`${fixture}.json`, "utf8")) as { files: string[] };
    const expected = readTensor(`${fixture}.safetensors`, "images_u8");
    const images = await Promise.all(
      files.map((file) =>
        decodeImage(readFileSync(`${data}tiny-imagenet-50/${file}`)).then((i) => preprocess(i, usualFraming(96))),
      ),
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
