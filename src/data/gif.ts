/** The first image of a GIF, and where on the screen it stands. */
export interface GifFrame {
  /** The image alone, as a GIF of its own size in which no colour is transparent. */
  readonly alone: Uint8Array;
  /** The screen, enlarged where the image reaches beyond it. */
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly top: number;
  /** RGB of the screen around the image. */
  readonly fill: readonly number[];
}

export function isGif(bytes: Uint8Array): boolean {
  return [0x47, 0x49, 0x46, 0x38].every((byte, i) => bytes[i] === byte);
}

const headerLength = 13;
const trailer = 0x3b;
const blocks = { extension: 0x21, image: 0x2c } as const;
const graphicControl = 0xf9;

/**
 * Takes the first image of a GIF apart as Pillow does: `convert("RGB")` gives a transparent pixel the colour that its entry
 * of the palette holds, and the screen around the image that entry's colour too, or the first entry's where none is
 * transparent. Decoders that blend (libvips) give black.
 *
 * @returns undefined when there is no image in it
 */
export function firstFrame(bytes: Uint8Array): GifFrame | undefined {
  const screen = { width: word(bytes, 6), height: word(bytes, 8) };
  const global = paletteAt(bytes, headerLength, bytes[10]!);
  let transparent: number | undefined;
  for (let at = headerLength + (global?.length ?? 0); at < bytes.length; ) {
    if (bytes[at] === blocks.extension) {
      if (bytes[at + 1] === graphicControl) transparent = bytes[at + 3]! & 1 ? bytes[at + 6] : undefined;
      at = afterSubBlocks(bytes, at + 2);
    } else if (bytes[at] === blocks.image) {
      return frameAt(bytes, at, { ...screen, global, transparent });
    } else if (bytes[at] === trailer) return undefined;
    // Bytes between blocks mean nothing.
    else at++;
  }
  return undefined;
}

interface Screen {
  readonly width: number;
  readonly height: number;
  readonly global: Uint8Array | undefined;
  readonly transparent: number | undefined;
}

function frameAt(bytes: Uint8Array, at: number, screen: Screen): GifFrame {
  const [left, top, width, height] = [1, 3, 5, 7].map((offset) => word(bytes, at + offset)) as [
    number,
    number,
    number,
    number,
  ];
  const flags = bytes[at + 9]!;
  const local = paletteAt(bytes, at + 10, flags);
  const palette = new Uint8Array(3 * 256);
  palette.set(local ?? screen.global ?? greys);
  const data = at + 10 + (local?.length ?? 0);
  const interlaced = flags & 0x40;
  const size = [width & 255, width >> 8, height & 255, height >> 8];
  const first = 3 * (screen.transparent ?? 0);
  return {
    alone: Buffer.concat([
      ...[bytes.subarray(0, 6), Uint8Array.of(...size, 0xf7, 0, 0), palette],
      ...[Uint8Array.of(blocks.image, 0, 0, 0, 0, ...size, interlaced)],
      ...[bytes.subarray(data, afterSubBlocks(bytes, data + 1)), Uint8Array.of(trailer)],
    ]),
    width: Math.max(screen.width, left + width),
    height: Math.max(screen.height, top + height),
    ...{ left, top, fill: [...palette.subarray(first, first + 3)] },
  };
}

/** Without a palette, numbers are levels of grey. */
const greys = Uint8Array.from({ length: 3 * 256 }, (_, i) => Math.floor(i / 3));

function paletteAt(bytes: Uint8Array, at: number, flags: number): Uint8Array | undefined {
  return flags & 0x80 ? bytes.subarray(at, at + 3 * 2 ** ((flags & 7) + 1)) : undefined;
}

function afterSubBlocks(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== 0) at += bytes[at]! + 1;
  return at + 1;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! + 256 * bytes[at + 1]!;
}
