import { existsSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { readGivenClasses, withClasses } from "./classes.ts";
import { imageFolder, unusedClasses } from "./folder.ts";
import { parquetDataset } from "./parquet.ts";
import { findParquetFiles } from "./parquet-files.ts";
import { withRemarks } from "./remarks.ts";
import type { ImageSource } from "./source.ts";
import { synthetic, syntheticLabels, syntheticSplits } from "./synthetic.ts";
import { isWebDataset, webDataset } from "./webdataset.ts";

export interface OpenSourceOptions {
  /** JSON file with names for the classes; see `readClasses`. Generated data takes none. */
  readonly classesFile?: string;
  /** For generated data: which images. Default 0. */
  readonly seed?: number;
}

/**
 * The images that a word on the command line stands for: `synthetic`, with `:COUNT`, `:COUNT:SPLIT` or
 * `:COUNT:SPLIT:LABEL` (see `synthetic`), or the path of a folder of images (see `imageFolder`), of a WebDataset (see `webDataset`) or of
 * Parquet files (see `parquetDataset`). A folder whose name begins with `synthetic` is reached as `./synthetic...`.
 *
 * @throws {UsageError} when it is none of these, or what it names cannot be used.
 *
 * @example
 * ```ts
 * import { openSource } from "lore-vision";
 *
 * const photos = await openSource("photos"); // a folder, a WebDataset or Parquet files
 * const generated = await openSource("synthetic:64:test", { seed: 1 });
 * console.log(photos.items.length, generated.classes?.length);
 * ```
 */
export async function openSource(spec: string, options: OpenSourceOptions = {}): Promise<ImageSource> {
  const { classesFile, seed } = options;
  if (spec === "synthetic" || spec.startsWith("synthetic:")) {
    if (classesFile !== undefined)
      throw new UsageError(
        `Generated images have classes of their own: the class file ${classesFile} is not for them.`,
      );
    return openSynthetic(spec, seed);
  }
  if (findParquetFiles(spec) !== undefined) return named(await parquetDataset(spec), classesFile);
  if (!existsSync(spec)) {
    throw new UsageError(
      `No data at ${spec}: there is no such file or folder. Data may be a folder with one sub-folder of images a ` +
        "class, a plain folder of images, a WebDataset (a tar file or a folder of them), Parquet files in the hub's " +
        `layout (a file, a folder of them, or FOLDER/SPLIT), or generated images: synthetic[:COUNT[:SPLIT[:LABEL]]] ` +
        `(splits ${syntheticSplits.join(", ")}; labels ${syntheticLabels.join(", ")}).`,
    );
  }
  if (isWebDataset(spec)) return named(webDataset(spec), classesFile);
  return imageFolder(spec, classesFile === undefined ? {} : { classesFile });
}

/** Class names from a file in place of those that came with the data. */
function named(source: ImageSource, file: string | undefined): ImageSource {
  if (file === undefined) return source;
  if (source.classes === undefined) return withRemarks(source, unusedClasses(source.name, file));
  const folders = source.classes.map(({ folder }) => folder);
  return withClasses(source, readGivenClasses(file, folders, source.name));
}

function openSynthetic(spec: string, seed = 0): ImageSource {
  const [, count, splitName, labelName, ...rest] = spec.split(":");
  const split = syntheticSplits.find((name) => name === splitName);
  const label = syntheticLabels.find((name) => name === labelName);
  const isKnown = (splitName === undefined || split) && (labelName === undefined || label);
  if ((count !== undefined && !/^[1-9]\d*$/.test(count)) || !isKnown || rest.length > 0) {
    throw new UsageError(
      `Data "${spec}" cannot be understood. Write synthetic, synthetic:COUNT, synthetic:COUNT:SPLIT or ` +
        `synthetic:COUNT:SPLIT:LABEL with a count of at least 1, a split of ${syntheticSplits.join(", ")} and a label of ` +
        `${syntheticLabels.join(", ")}; for example synthetic:512:test.`,
    );
  }
  return synthetic({ seed, ...(count && { count: Number(count) }), ...(split && { split }), ...(label && { label }) });
}
