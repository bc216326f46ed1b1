import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** Byte strings at least this long are kept by reference until the one final copy. */
const LARGE = 4096;

/**
 * The bytes of a message as a list of pieces. BinaryWriter alone would copy a tensor once for every message around it and
 * again whenever its buffer grows; here a large piece is copied once, into the finished file.
 */
export class Rope {
  readonly #pieces: Uint8Array[] = [];
  readonly #writer = new BinaryWriter();
  #flushed = 0;

  /** Writes small things through a BinaryWriter. */
  small(write: (writer: BinaryWriter) => void): void {
    write(this.#writer);
  }

  bytes(number: number, value: Uint8Array): void {
    this.#writer.tag(number, WireType.LengthDelimited);
    if (value.length < LARGE) {
      this.#writer.bytes(value);
      return;
    }
    this.#writer.uint32(value.length);
    this.#flush();
    this.#push(value);
  }

  message(number: number, value: Rope): void {
    const pieces = value.#finish();
    if (pieces.length === 1) {
      this.bytes(number, pieces[0]!);
      return;
    }
    this.#writer.tag(number, WireType.LengthDelimited).uint32(value.#flushed);
    this.#flush();
    for (const piece of pieces) this.#push(piece);
  }

  /** Total length, and a function that writes the pieces. */
  finish(): { readonly length: number; readonly join: () => Uint8Array } {
    const pieces = this.#finish();
    return {
      length: this.#flushed,
      join: () => {
        const joined = new Uint8Array(this.#flushed);
        let offset = 0;
        for (const piece of pieces) {
          joined.set(piece, offset);
          offset += piece.length;
        }
        return joined;
      },
    };
  }

  #finish(): readonly Uint8Array[] {
    this.#flush();
    return this.#pieces;
  }

  #flush(): void {
    const piece = this.#writer.finish();
    if (piece.length > 0 || this.#pieces.length === 0) this.#push(piece);
  }

  #push(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#flushed += piece.length;
  }
}
