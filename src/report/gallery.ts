import sharp, { type Sharp } from "sharp";

/** Images of one size as columns of a grid; each row is one way of looking at them. */
export interface Gallery {
  /** Side of every image in pixels. */
  readonly size: number;
  /** Rows of [3, size, size] images in [0, 1]. */
  readonly rows: readonly (readonly Float32Array[])[];
}

/** Screen pixels between images. */
const gap = 6;

/** Screen pixels an image gets at least; small images are enlarged by a whole factor without smoothing. */
const targetSide = 128;

/** The gallery as a PNG on white. */
export async function galleryPng({ size, rows }: Gallery): Promise<Buffer> {
  const scale = Math.max(1, Math.round(targetSide / size));
  const side = size * scale;
  const columns = Math.max(...rows.map((row) => row.length));
  const width = columns * side + (columns + 1) * gap;
  const height = rows.length * side + (rows.length + 1) * gap;
  const tiles = rows.flatMap((row, y) =>
    row.map(async (image, x) => ({
      input: await tile(image, size, side),
      left: gap + x * (side + gap),
      top: gap + y * (side + gap),
    })),
  );
  return sharp({ create: { width, height, channels: 3, background: "#ffffff" } })
    .composite(await Promise.all(tiles))
    .png()
    .toBuffer();
}

/** Where the images of a gallery of one row lie in a picture of it. */
export function tilesOf(width: number, height: number, columns: number) {
  const side = Math.min(Math.round((width - (columns + 1) * gap) / columns), height - 2 * gap);
  return Array.from({ length: columns }, (_, i) => ({
    left: gap + i * (side + gap),
    top: gap,
    width: side,
    height: side,
  }));
}

/** The difference of two images around mid-grey, `epsilon` becoming full black or white. */
export function amplifiedDifference(a: Float32Array, b: Float32Array, epsilon: number): Float32Array {
  return a.map((x, i) => Math.min(Math.max(0.5 + (x - b[i]!) / (2 * epsilon), 0), 1));
}

/**
 * One image as a PNG of its own pixels, rounded to 8 bits.
 *
 * @param image [3, size, size] in [0, 1]
 */
export function imagePng(image: Float32Array, size: number): Promise<Buffer> {
  return raw(image, size).png().toBuffer();
}

function tile(image: Float32Array, size: number, side: number): Promise<Buffer> {
  return raw(image, size).resize(side, side, { kernel: "nearest" }).png().toBuffer();
}

function raw(image: Float32Array, size: number): Sharp {
  const bytes = new Uint8Array(3 * size * size);
  for (let i = 0; i < size * size; i++) {
    for (let c = 0; c < 3; c++) bytes[3 * i + c] = Math.round(255 * image[c * size * size + i]!);
  }
  return sharp(bytes, { raw: { width: size, height: size, channels: 3 } });
}
