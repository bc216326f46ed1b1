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
