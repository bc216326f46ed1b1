import { existsSync } from "node:fs";
import {
  chooseImages,
  findParquetFiles,
  type ImageSource,
  isWebDataset,
  type Telling,
  tellFault,
} from "../data/index.ts";
import { defined } from "../defined.ts";
import {
  checkEmbeddingsPath,
  type EmbeddingTable,
  type Neighbour,
  nearestIn,
  readEmbeddings,
  writeEmbeddings,
} from "../embeddings/index.ts";
import { UsageError } from "../errors.ts";
import { embedSource, tellCutTexts, usualBatch } from "../inference/index.ts";
import { type Encoder, encoderDigest } from "../models/index.ts";
import { overImages, textTable } from "../report/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { counted } from "../words.ts";
import { commandWithArgument } from "./command.ts";
import { openData, Warnings } from "./data.ts";
import { encoderOption, openEncoder, openingOptions } from "./encoder.ts";
import { plainSource } from "./image-files.ts";
import { embeddingsKept, interruptible, printJson, reportStop } from "./measuring.ts";
import { type Flags, option } from "./option.ts";
import { compileFlags, computeOptions, readOptions } from "./options.ts";
import { parseCount, text } from "./parsers.ts";
import { ProgressLine } from "./progress.ts";
import { readTexts } from "./texts.ts";

const options = {
  encoder: encoderOption,
  ...openingOptions,
  ...readOptions(usualBatch),
  texts: option("--texts <file>", text, {
    help: "embed these texts instead of images, one per line (CLIP with its text tower)",
    topic: "data",
  }),
  out: option("--out <file>", text, {
    help: "write the embeddings: .npy (names beside it, in .names.json), .safetensors, .jsonl or .parquet",
    topic: "results",
  }),
  nearest: option("--nearest <k>", parseCount, {
    help: "print the nearest k of --index for each image or text",
    topic: "results",
  }),
  index: option("--index <file>", text, { help: "embeddings that lore embed --out wrote", topic: "results" }),
  ...computeOptions,
};

type EmbedFlags = Flags<typeof options>;

export function embedCommand() {
  return commandWithArgument({
    name: "embed",
    description: "embed images or texts into a file, or find their nearest in such a file",
    argument: [
      "[data]",
      "a folder of images, with those in all folders below; an image file; or other data as in lore evaluate",
    ],
    options,
    essentials: ["encoder", "texts", "out", "nearest", "index"],
    examples: [
      "embed --encoder openai/clip-vit-base-patch32 photos --out photos.npy",
      "embed --encoder openai/clip-vit-base-patch32 query.jpg --nearest 5 --index photos.npy",
    ],
    run,
  });
}

async function run(data: string | undefined, flags: EmbedFlags): Promise<void> {
  const { out, nearest, index: indexPath, strict, json } = flags;
  checkTogether(data, flags);
  const progress = new ProgressLine();
  const warnings = new Warnings(progress);
  const index = indexPath === undefined ? undefined : await readEmbeddings(indexPath);
  const encoder = await openEncoder(flags.encoder, flags, progress);
  const telling = { ...defined({ strict }), onWarning: warnings.tell };
  if (index) checkIndex(index, encoder, flags, telling);
  const embedded = await interruptible(progress, async (signal, onSkip) => {
    const compute = { ...(await compileFlags(flags)), ...telling };
    if (data === undefined) return embedTexts(encoder, readTexts(flags.texts!), { ...compute, progress });
    const source = await imagesOf(data, flags, warnings);
    const { seed, limit, batch } = flags;
    const order = chooseImages(source, { ...telling, limit, seed }).sort((a, b) => a - b);
    const { ids, embeddings, skipped } = await embedSource(encoder, source, {
      ...compute,
      ...{ order, batch, signal, onSkip },
      onProgress: ({ done, total }) => progress.update("embedding", done, total, "images"),
    });
    return { names: ids, values: embeddings, skipped };
  });
  if (!embedded) return reportStop(embeddingsKept);
  const { names, values, skipped } = embedded;
  const table: EmbeddingTable = {
    ...{ names, values, size: encoder.embeddingSize },
    encoder: { name: flags.encoder, sha256: encoderDigest(encoder) },
  };
  const files = out === undefined ? undefined : await writeEmbeddings(out, table);
  const found = index && nearest !== undefined ? nearestIn(index, table, nearest) : undefined;
  if (json) {
    const neighbours = found?.map((neighbours, i) => ({ query: names[i]!, neighbours }));
    const counts = { count: names.length, embeddingSize: table.size, skipped };
    printJson(defined({ encoder: flags.encoder, ...counts, files, index: indexPath, neighbours }));
    return;
  }
  if (found) process.stdout.write(`${neighboursTable(names, found)}\n\n`);
  const over =
    data === undefined
      ? `${counted(names.length, "text")} of ${flags.texts}`
      : overImages({ images: names.length, dataset: data, skipped });
  const places = files ? ` -> ${files.join(", ")}` : "";
  process.stdout.write(`${over}, ${table.size} numbers each, not normalised${places}\n`);
}

/** @throws UsageError when flags contradict each other, or there is nothing to do */
function checkTogether(data: string | undefined, { texts, out, nearest, index }: EmbedFlags): void {
  if (data === undefined && texts === undefined) throw new UsageError("Give images to embed, or --texts FILE.");
  if (data !== undefined && texts !== undefined)
    throw new UsageError(`Either images (${data}) or --texts ${texts} can be embedded at a time: give one of them.`);
  if (out === undefined && nearest === undefined)
    throw new UsageError(
      "--out FILE keeps the embeddings, --nearest K with --index FILE compares them: give one of the two.",
    );
  if ((nearest === undefined) !== (index === undefined))
    throw new UsageError("--nearest K and --index FILE go together: how many, and of which embeddings.");
  if (out !== undefined) checkEmbeddingsPath(out);
}

/** @throws UsageError when the index is of another length, or under `--strict` of another encoder */
function checkIndex(index: EmbeddingTable, encoder: Encoder, flags: EmbedFlags, telling: Telling): void {
  const { size, encoder: made } = index;
  if (size !== encoder.embeddingSize)
    throw new UsageError(
      `--index ${flags.index} holds embeddings of ${size} numbers, and those of ${flags.encoder} have ${encoder.embeddingSize}: it was made with another encoder.`,
    );
  if (made && made.sha256 !== encoderDigest(encoder))
    tellFault(
      `--index ${flags.index} was made with ${made.name} as it was then, and not with ${flags.encoder} as it is now: cosines between the two may mean little.`,
      telling,
    );
}

async function embedTexts(
  encoder: Encoder,
  texts: readonly string[],
  { progress, ...compute }: CompileOptions & Telling & { readonly progress: ProgressLine },
) {
  const { text, name } = encoder;
  if (!text) throw new UsageError(`--texts: ${name} has no text tower; texts need a CLIP with its text weights.`);
  tellCutTexts(name, text, texts, compute);
  const onProgress = (done: number, total: number) => progress.update("embedding", done, total, "texts");
  return { names: texts, values: await text.embed(texts, { ...compute, onProgress }), skipped: 0 };
}

/** The images to embed. Labels do not count: of a folder these are all images in and below it. */
async function imagesOf(data: string, flags: EmbedFlags, warnings: Warnings): Promise<ImageSource> {
  const isPlain = existsSync(data) && !isWebDataset(data) && findParquetFiles(data) === undefined;
  return isPlain ? plainSource(data) : openData(data, flags, warnings);
}

function neighboursTable(names: readonly string[], found: readonly (readonly Neighbour[])[]): string {
  const rows = found.flatMap((neighbours, i) =>
    neighbours.map(({ name, cosine }, place) => [place === 0 ? names[i]! : "", name, cosine.toFixed(4)]),
  );
  return textTable(["query", "nearest", "cosine"], rows);
}
