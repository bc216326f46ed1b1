import { join } from "node:path";
import { appendLines } from "../../files.ts";
import { openKept } from "../../results/index.ts";
import type { InterpretedOne, View } from "./interpret-encoder.ts";

const file = "interpretability.jsonl";

/** An `InterpretedOne` as JSON: pixels and maps as base64 of their float32 elements. */
interface Line extends Omit<InterpretedOne, "view"> {
  readonly view: Omit<View, (typeof arrays)[number]> & Readonly<Record<(typeof arrays)[number], readonly string[]>>;
}

const arrays = ["images", "maps", "synthesized"] as const;

/** Interpretation of an encoder, saved in a folder beside the settings that it depends on. */
export class KeptInterpretation {
  readonly #path: string;
  #known: InterpretedOne | undefined;

  private constructor(path: string, known: InterpretedOne | undefined) {
    this.#path = path;
    this.#known = known;
  }

  /**
   * @param settings everything that the numbers depend on, as JSON
   * @throws UsageError when the folder holds results of other settings, or cannot be written
   */
  static open(folder: string, settings: Readonly<Record<string, unknown>>): KeptInterpretation {
    const [line] = openKept<Line>(folder, { settings, file });
    return new KeptInterpretation(
      join(folder, file),
      line && { ...line, view: { ...line.view, ...mapped(line.view, decode) } },
    );
  }

  get found(): InterpretedOne | undefined {
    return this.#known;
  }

  keep(found: InterpretedOne): void {
    this.#known = found;
    const line: Line = { ...found, view: { ...found.view, ...mapped(found.view, encode) } };
    appendLines(this.#path, [line]);
  }
}

function mapped<From, To>(
  view: Readonly<Record<(typeof arrays)[number], readonly From[]>>,
  convert: (value: From) => To,
): Readonly<Record<(typeof arrays)[number], readonly To[]>> {
  const { images, maps, synthesized } = view;
  return { images: images.map(convert), maps: maps.map(convert), synthesized: synthesized.map(convert) };
}

function encode({ buffer, byteOffset, byteLength }: Float32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}

function decode(text: string): Float32Array {
  return new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
}
