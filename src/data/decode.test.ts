import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { DecodeError, decodeImage } from "./decode.ts";

/** Made by Pillow 9.4; the expected pixels below are Pillow's own reading of them. */
const cmykJpeg =
  "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAbEhQXFBEbFxYXHhwbIChCKyglJShROj0wQmBVZWRfVV1baniZgWpxkHNbXYW1hpCeo6utq2eAvMm6pseZqKuk/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EABYAAQEBAAAAAAAAAAAAAAAAAAUDBP/EAB0QAAIBBAMAAAAAAAAAAAAAAAAEIQURExUxQmL/2gAOBEMATQBZAEsAAD8AvXuxs2/oRaZ5kbbaw3k//9k=";
const rotatedJpeg =
  "/9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCAAIAAYDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAT/xAAYEAEAAwEAAAAAAAAAAAAAAAAABAUiMv/EABUBAQEAAAAAAAAAAAAAAAAAAAED/8QAGxEAAgEFAAAAAAAAAAAAAAAAAAEDAgQREiH/2gAMAwEAAhEDEQA/AJIlRjkAKp4JQ3Mmi6f/2Q==";

const pixel = (image: { width: number; data: Uint8Array }, y: number, x: number) =>
  Array.from(image.data.subarray((y * image.width + x) * 3, (y * image.width + x) * 3 + 3));

/** Made by Pillow 12.3, as are the pixels expected of them: EXIF orientation 6, and colour at half the resolution. */
const turnedAvif =
  "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAD1bWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAEdAAAALwAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAAB0aXBycAAAAFRpcGNvAAAAFGlzcGUAAAAAAAAAAgAAAAQAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBIAAAAAAAE2NvbHJuY2x4AAEADQAGgAAAAAlpcm90AwAAABhpcG1hAAAAAAAAAAEAAQUBAoMEhQAAADdtZGF0EgAKCDgAewgIaDSAMiEQAAD4Bis1+jXQfDUnS+mWye1ZbkvbJJ98TpAKX6eeUFw=";
const subsampledAvif =
  "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAMAAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAAgAAAAQAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAOG1kYXQSAAoIGAB7RAQ0GhAyIheHh4YhhJJJJlAAAABIVDandlknjUYJOGd0rjQLwNTyf9w=";
/** 2 x 3 pixels, orientation 6; written by hand, read by Pillow. */
const turnedTiff =
  "SUkqABoAAAD/AAAA/wAAAP8JCAcBAgMEBQYLAAABAwABAAAAAgAAAAEBAwABAAAAAwAAAAIBAwADAAAApAAAAAMBAwABAAAAAQAAAAYBAwABAAAAAgAAABEBBAABAAAACAAAABIBAwABAAAABgAAABUBAwABAAAAAwAAABYBAwABAAAAAwAAABcBBAABAAAAEgAAABwBAwABAAAAAQAAAAAAAAAIAAgACAA=";

describe("decodeImage", () => {
  it("reads CMYK as Pillow does", async () => {
    const image = await decodeImage(Buffer.from(cmykJpeg, "base64"));
    expect([image.width, image.height]).toEqual([8, 8]);
    expect(pixel(image, 5, 3)).toEqual([137, 108, 145]);
    expect(pixel(image, 7, 7)).toEqual([22, 37, 52]);
    expect(pixel(image, 0, 0)).toEqual([253, 255, 255]);
  });

  it("ignores the EXIF orientation and gives Pillow's pixels for subsampled colour", async () => {
    const image = await decodeImage(Buffer.from(rotatedJpeg, "base64"));
    expect([image.width, image.height]).toEqual([6, 8]);
    expect([0, 1, 5].map((x) => pixel(image, 0, x))).toEqual([
      [8, 0, 4],
      [24, 2, 14],
      [129, 11, 71],
    ]);
  });

  it("drops alpha without blending", async () => {
    const rgba = Uint8Array.of(200, 100, 50, 0, 10, 20, 30, 128);
    const png = await sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    expect(Array.from((await decodeImage(png)).data)).toEqual([200, 100, 50, 10, 20, 30]);
  });

  it("repeats gray three times", async () => {
    const raw = sharp(Uint8Array.of(7, 200), { raw: { width: 2, height: 1, channels: 1 } });
    const png = await raw.toColourspace("b-w").png().toBuffer();
    expect((await sharp(png).metadata()).channels).toBe(1);
    expect(Array.from((await decodeImage(png)).data)).toEqual([7, 7, 7, 200, 200, 200]);
  });

  it("turns a TIFF as its orientation says, and an AVIF not, as Pillow does", async () => {
    const tiff = await decodeImage(Buffer.from(turnedTiff, "base64"));
    expect([tiff.width, tiff.height]).toEqual([3, 2]);
    expect([...tiff.data]).toEqual([1, 2, 3, 0, 0, 255, 255, 0, 0, 4, 5, 6, 9, 8, 7, 0, 255, 0]);
    const avif = await decodeImage(Buffer.from(turnedAvif, "base64"));
    expect([avif.width, avif.height]).toEqual([2, 4]);
    const pillow = [
      19, 78, 199, 49, 78, 200, 79, 78, 198, 109, 78, 198, 140, 78, 198, 170, 78, 198, 200, 78, 199, 230, 78, 199,
    ];
    // Decoders of AVIF round the conversion from YCbCr differently.
    for (const [i, value] of pillow.entries()) expect(Math.abs(avif.data[i]! - value)).toBeLessThanOrEqual(1);
  });

  it("takes the upper 8 of 16 bits a channel", async () => {
    const rgb = Uint16Array.of(0x1234, 0xff00, 0x00ff, 0x80ff, 0x7f00, 0xffff);
    const png = await sharp(rgb, { raw: { width: 2, height: 1, channels: 3 } })
      .toColourspace("rgb16")
      .png()
      .toBuffer();
    expect((await sharp(png).metadata()).depth).toBe("ushort");
    expect([...(await decodeImage(png)).data]).toEqual([0x12, 0xff, 0, 0x80, 0x7f, 0xff]);
  });

  it("refuses what decoders give different pixels of", async () => {
    await expect(decodeImage(Buffer.from(subsampledAvif, "base64"))).rejects.toThrow(/subsampled colour.*PNG/);
    // Made by Pillow 12.3: gray of 16 bits, which it reads as 255 and 70 for 300 and 70, and of 32 bits, floating-point.
    for (const [file, reason] of [
      [
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABEAAAAACB2fwVAAAADUlEQVR4nGNk1PkvBQACqgFIBeJV8QAAAABJRU5ErkJggg==",
        /grey16 samples are of type ushort.*8 bits a channel/,
      ],
      [
        "SUkqAAgAAAAJAAABBAABAAAAAgAAAAEBBAABAAAAAQAAAAIBAwABAAAAEAAAAAMBAwABAAAAAQAAAAYBAwABAAAAAQAAABEBBAABAAAAegAAABYBBAABAAAAAQAAABcBBAABAAAABAAAABwBAwABAAAAAQAAAAAAAAAsAUYA",
        /grey16 samples are of type ushort/,
      ],
      [
        "SUkqAAgAAAAKAAABBAABAAAAAgAAAAEBBAABAAAAAQAAAAIBAwABAAAAIAAAAAMBAwABAAAAAQAAAAYBAwABAAAAAQAAABEBBAABAAAAhgAAABYBBAABAAAAAQAAABcBBAABAAAACAAAABwBAwABAAAAAQAAAFMBAwABAAAAAwAAAAAAAAAAAAA/AACAPw==",
        /type float/,
      ],
    ] as const)
      await expect(decodeImage(Buffer.from(file, "base64"))).rejects.toThrow(reason);
  });

  it("refuses what is no image, or only part of one", async () => {
    const jpeg = Buffer.from(rotatedJpeg, "base64");
    await expect(decodeImage(new TextEncoder().encode("not an image"))).rejects.toThrow(DecodeError);
    await expect(decodeImage(new Uint8Array(0))).rejects.toThrow(DecodeError);
    await expect(decodeImage(jpeg.subarray(0, jpeg.length - 20))).rejects.toThrow(/premature end/);
  });

  it("gives whole reasons when several images fail at the same time", async () => {
    const jpeg = Buffer.from(rotatedJpeg, "base64");
    const bad = [jpeg.subarray(0, jpeg.length - 20), new TextEncoder().encode("not an image")];
    const results = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => decodeImage(bad[i % 2]!)));
    const reasons = results.map((result) => (result.status === "rejected" ? `${result.reason.message}` : "decoded"));
    expect(reasons.filter((reason) => /^Input buffer (has|contains) .*[^:\s]$/s.test(reason))).toHaveLength(100);
  });
});
