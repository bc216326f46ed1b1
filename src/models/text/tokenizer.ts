import { existsSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer as HubTokenizer } from "@huggingface/tokenizers";
import { UsageError } from "../../errors.ts";
import { readBytes } from "../../files.ts";
import { readJson, readText } from "../../text.ts";
import {
  type BytePairModel,
  clipModel,
  END,
  formatMerges,
  type Merge,
  readMerges,
  START,
  tokenizerJson,
} from "./bpe-vocabulary.ts";

/**
 * Text to token ids, as CLIP's text encoder takes them: the ids of Hugging Face's tokenisers, which normalise a text to
 * NFC, runs of white space to a space, and letters to lower case.
 *
 * OpenAI's tokeniser gives the same ids unless it cleans a text up first, which Hugging Face's does not:
 * - ftfy (`fix_text`): typographic quotes become plain ones, ligatures letters, full-width characters ASCII, and control
 *   characters go;
 * - HTML entities are decoded, twice (`&amp;amp;` becomes `&`);
 * - an end marker in capitals (`<|ENDOFTEXT|>`) is one all the same.
 *
 * Two differences from Hugging Face's tokenisers in Rust are left. A capital sigma that ends a word becomes ς here, as
 * in OpenAI's and in the Unicode standard, and σ there. An end marker in capitals with no other text around it is a
 * marker here, as in OpenAI's, and text there.
 */
export interface Tokenizer {
  /**
   * Ids with start and end markers, not padded. A longer text is cut to `contextLength` ids, the end marker last (as
   * CLIP's `tokenize(text, truncate=True)` does).
   */
  encode(text: string, contextLength: number): readonly number[];
  /** One more than the largest id: the rows of the token embedding. */
  readonly vocabularySize: number;
  /** Id of the end marker. */
  readonly end: number;
  /** Files of transformers' layout that describe this tokeniser, by name, for saving beside the weights. */
  readonly files: ReadonlyMap<string, string>;
}

const CONTEXT_LENGTH = 77;
const FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"];
const OPENAI_FILES = ["bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt"];

/**
 * The tokeniser in a folder: from `tokenizer.json`, else `vocab.json` and `merges.txt`, else OpenAI's
 * `bpe_simple_vocab_16e6.txt.gz` (or `.txt`). What the folder has of transformers' layout is in its `files` unchanged.
 *
 * @throws UsageError when the folder has none of these, or they do not describe a tokeniser like CLIP's.
 */
export function loadTokenizer(folder: string): Tokenizer {
  const found = findTokenizer(folder);
  if (found) return found;
  throw new UsageError(
    `${folder} has no tokeniser: put tokenizer.json there, or vocab.json and merges.txt, or ${OPENAI_FILES[0]}`,
  );
}

/** As `loadTokenizer`, but undefined where the folder has none of these files. */
export function findTokenizer(folder: string): Tokenizer | undefined {
  const found = FILES.filter((name) => existsSync(join(folder, name))).map(
    (name) => [name, readText(join(folder, name))] as const,
  );
  try {
    const files = new Map([...configuration(CONTEXT_LENGTH), ...found]);
    if (files.has("tokenizer.json")) return fromFiles(files);
    const model = modelIn(folder);
    return model && fromFiles(new Map([...files, ...modelFiles(model)]));
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`The tokeniser in ${folder} cannot be used: ${cause.message}`, { cause });
  }
}

/**
 * A CLIP tokeniser that has these merges; `clipModel` says which ids they give.
 *
 * @param contextLength what its files call the longest text of the model (`model_max_length`).
 */
export function clipTokenizer(merges: readonly Merge[], contextLength: number = CONTEXT_LENGTH): Tokenizer {
  return fromFiles(new Map([...configuration(contextLength), ...modelFiles(clipModel(merges))]));
}

function modelIn(folder: string): BytePairModel | undefined {
  const path = (name: string): string => join(folder, name);
  if (existsSync(path("vocab.json")) && existsSync(path("merges.txt"))) {
    return { vocabulary: readVocabulary(path("vocab.json")), merges: readMerges(readBytes(path("merges.txt"))) };
  }
  const name = OPENAI_FILES.find((file) => existsSync(path(file)));
  return name === undefined ? undefined : clipModel(readMerges(readBytes(path(name))));
}

function readVocabulary(path: string): Readonly<Record<string, number>> {
  const content = readJson(path);
  const isVocabulary =
    typeof content === "object" && content !== null && Object.values(content).every(Number.isInteger);
  if (!isVocabulary) throw new UsageError(`${path} should be an object of symbols and their ids`);
  return content as Readonly<Record<string, number>>;
}

function modelFiles(model: BytePairModel): ReadonlyMap<string, string> {
  return new Map([
    ["tokenizer.json", JSON.stringify(tokenizerJson(model))],
    ["vocab.json", JSON.stringify(model.vocabulary)],
    ["merges.txt", formatMerges(model.merges)],
  ]);
}

function fromFiles(files: ReadonlyMap<string, string>): Tokenizer {
  const library = construct(files);
  const [start, end, ...more] = library.encode("").ids;
  if (start === undefined || end === undefined || more.length > 0) {
    throw new UsageError(
      "It is not like CLIP's, which makes a start and an end marker of an empty text: load the tokeniser of a CLIP model",
    );
  }
  return {
    encode: (text, contextLength) => cut(library.encode(text).ids, contextLength, end),
    vocabularySize: 1 + [...library.get_vocab().values()].reduce((most, id) => Math.max(most, id), 0),
    end,
    files,
  };
}

/** The methods used of the library's tokeniser. */
interface Library {
  encode(text: string): { readonly ids: readonly number[] };
  get_vocab(): ReadonlyMap<string, number>;
}

function construct(files: ReadonlyMap<string, string>): Library {
  const parsed = (name: string): object => JSON.parse(files.get(name)!) as object;
  try {
    return new HubTokenizer(parsed("tokenizer.json"), parsed("tokenizer_config.json"));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`tokenizer.json or tokenizer_config.json is damaged or of an unknown kind: ${reason}`, {
      cause,
    });
  }
}

function cut(ids: readonly number[], contextLength: number, end: number): readonly number[] {
  if (contextLength < 2)
    throw new UsageError(`A context of ${contextLength} ids has no room for start and end markers`);
  return ids.length <= contextLength ? ids : [...ids.slice(0, contextLength - 1), end];
}

/** The files beside tokenizer.json, as CLIP's repositories have them; the end marker also pads and stands for the unknown. */
function configuration(contextLength: number): readonly (readonly [name: string, content: string])[] {
  const marker = { single_word: false, lstrip: false, rstrip: false, normalized: true };
  const special = {
    bos_token: { content: START, ...marker },
    eos_token: { content: END, ...marker },
    unk_token: { content: END, ...marker },
    pad_token: END,
  };
  const typed = (token: object): object => ({ ...token, __type: "AddedToken" });
  const config = {
    ...special,
    bos_token: typed(special.bos_token),
    eos_token: typed(special.eos_token),
    unk_token: typed(special.unk_token),
    add_prefix_space: false,
    do_lower_case: true,
    errors: "replace",
    model_max_length: contextLength,
    tokenizer_class: "CLIPTokenizer",
  };
  return [
    ["tokenizer_config.json", JSON.stringify(config, null, 2)],
    ["special_tokens_map.json", JSON.stringify(special, null, 2)],
  ];
}
