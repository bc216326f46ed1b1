/** Properties in an AVIF's boxes that a decoder acts on. */
export interface AvifFacts {
  /** Colour is stored at a lower resolution than brightness. */
  readonly subsampled: boolean;
  /** Offsets of the properties that turn, mirror or crop the decoded image, by their four-letter types. */
  readonly transforms: readonly { readonly type: string; readonly offset: number }[];
}

/** Boxes around the image's properties, and the length of their headers before the first inner box. */
const containers: Readonly<Record<string, number>> = { meta: 4, iprp: 0, ipco: 0 };

/** @returns undefined for a file of another kind */
export function avifFacts(bytes: Uint8Array): AvifFacts | undefined {
  if (letters(bytes, 4) !== "ftyp" || !/^avi[fs]$/.test(letters(bytes, 8))) return undefined;
  const found = [...boxes(bytes, 0, bytes.length)];
  return {
    // Of av1C: monochrome (bit 4) and horizontal subsampling (bit 3) in the third byte.
    subsampled: found.some(({ type, offset }) => type === "av1C" && (bytes[offset + 6]! & 0x18) === 0x08),
    transforms: found.filter(({ type }) => ["irot", "imir", "clap"].includes(type)),
  };
}

interface Box {
  readonly type: string;
  /** Offset of the type. */
  readonly offset: number;
}

function* boxes(bytes: Uint8Array, start: number, end: number): Generator<Box, void, undefined> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = start; at + 8 <= end; ) {
    const size = view.getUint32(at);
    const type = letters(bytes, at + 4);
    // 0: up to the end. 1: a size of 64 bits, which only image data has.
    const next = size === 0 ? end : size === 1 ? at + Number(view.getBigUint64(Math.min(at + 8, end - 8))) : at + size;
    if (next <= at || next > end) return;
    const inner = containers[type];
    if (inner === undefined) yield { type, offset: at + 4 };
    else yield* boxes(bytes, at + 8 + inner, next);
    at = next;
  }
}

/** The same file without rotation and mirroring: both become a rotation by 0. */
export function untransformed(bytes: Uint8Array, { transforms }: AvifFacts): Uint8Array {
  const changed = Uint8Array.from(bytes);
  for (const { offset } of transforms) changed.set([0x69, 0x72, 0x6f, 0x74, 0], offset);
  return changed;
}

function letters(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
