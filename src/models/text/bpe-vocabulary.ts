import { gunzipSync } from "node:zlib";
import { UsageError } from "../../errors.ts";
import { decodeText, linesOf } from "../../text.ts";

/*
 * CLIP's byte-pair vocabulary (github.com/openai/CLIP, clip/simple_tokenizer.py), and the tokenizer.json that Hugging
 * Face's CLIP repositories describe it with (transformers, convert_slow_tokenizer.py, CLIPConverter).
 */

/** Two neighbouring symbols that become one. Symbols are strings of byte characters, with `</w>` at the end of a word. */
export type Merge = readonly [left: string, right: string];

/** A byte-pair model: what each symbol's id is, and which pairs merge, the most frequent first. */
export interface BytePairModel {
  readonly vocabulary: Readonly<Record<string, number>>;
  readonly merges: readonly Merge[];
}

export const START = "<|startoftext|>";
export const END = "<|endoftext|>";
const END_OF_WORD = "</w>";

/** OpenAI's file lists 262 144 merges, of which the models use the first 49 152 - 256 - 2 (their vocabulary has 49 408 entries). */
const MERGES_IN_USE = 48_894;

const WORDS = String.raw`<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`;

/**
 * The merges of `bpe_simple_vocab_16e6.txt.gz`, of the same file unpacked, or of a `merges.txt`: a line of version, then
 * a pair a line. At most the 48 894 that CLIP uses.
 *
 * @throws UsageError when the content is damaged or has a line that is not a pair.
 */
export function readMerges(bytes: Uint8Array): readonly Merge[] {
  const lines = linesOf(decodeText(unpacked(bytes))).slice(1);
  while (lines.at(-1) === "") lines.pop();
  return lines.slice(0, MERGES_IN_USE).map((line, i) => {
    const [left, right, ...more] = line.split(" ");
    if (!left || !right || more.length > 0) {
      throw new UsageError(
        `Line ${i + 2} of the merges is ${JSON.stringify(line)}: it should be two symbols and a space`,
      );
    }
    return [left, right];
  });
}

/** The content of a `merges.txt`. */
export function formatMerges(merges: readonly Merge[]): string {
  return ["#version: 0.2", ...merges.map((pair) => pair.join(" ")), ""].join("\n");
}

/**
 * The byte-pair model that follows from its merges alone. Ids: the 256 bytes, the 256 bytes that end a word, one symbol a
 * merge, start marker, end marker; so the start marker's id is 512 + merges, the end marker's 513 + merges.
 *
 * @throws UsageError when a merge uses a symbol that no earlier one makes, or makes one that is there already.
 */
export function clipModel(merges: readonly Merge[]): BytePairModel {
  const bytes = byteCharacters();
  const symbols = new Set([...bytes, ...bytes.map((byte) => byte + END_OF_WORD)]);
  for (const [i, pair] of merges.entries()) {
    const unknown = pair.find((symbol) => !symbols.has(symbol));
    const merged = pair.join("");
    if (unknown !== undefined || symbols.has(merged)) {
      const fault =
        unknown === undefined ? `makes ${merged}, which is there already` : `uses ${unknown}, which is not made before`;
      throw new UsageError(
        `Merge ${i}, ${JSON.stringify(pair.join(" "))}, ${fault}: list merges in the order of training`,
      );
    }
    symbols.add(merged);
  }
  symbols.add(START).add(END);
  return { vocabulary: Object.fromEntries([...symbols].map((symbol, id) => [symbol, id])), merges };
}

/** `tokenizer.json` of a CLIP tokeniser that has these merges; see `clipModel` for the ids and the errors. */
export function clipTokenizerJson(merges: readonly Merge[]): object {
  return tokenizerJson(clipModel(merges));
}

/** `tokenizer.json` of a CLIP tokeniser over this model, as Hugging Face's `openai/clip-vit-*` repositories have it. */
export function tokenizerJson({ vocabulary, merges }: BytePairModel): object {
  const [start, end] = [vocabulary[START], vocabulary[END]];
  if (start === undefined || end === undefined) {
    throw new UsageError(`The vocabulary has no ${start === undefined ? START : END}: it is not one of CLIP's`);
  }
  const marker = { single_word: false, lstrip: false, rstrip: false, special: true };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [
      { id: start, content: START, ...marker, normalized: true },
      { id: end, content: END, ...marker, normalized: false },
    ],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: String.raw`\s+` }, content: " " },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: WORDS }, behavior: "Removed", invert: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: "RobertaProcessing",
      sep: [END, end],
      cls: [START, start],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: END,
      continuing_subword_prefix: "",
      end_of_word_suffix: END_OF_WORD,
      fuse_unk: false,
      vocab: vocabulary,
      merges: merges.map((pair) => pair.join(" ")),
    },
  };
}

/**
 * The characters that stand for bytes, in the order of their ids (GPT-2's map): a printable byte of Latin-1 stands for
 * itself; the others, which a vocabulary file could not show, follow and stand as U+0100 and up.
 */
function byteCharacters(): readonly string[] {
  const isShown = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  const shown = all.filter(isShown);
  return [...shown, ...Array.from({ length: 256 - shown.length }, (_, i) => 0x100 + i)].map((code) =>
    String.fromCharCode(code),
  );
}

function unpacked(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new UsageError("The gzip file of merges is damaged: download it again", { cause });
  }
}
