import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { readText } from "../text.ts";
import { HubUnreachable } from "./client.ts";
import { parseHubId } from "./download.ts";
import type { RepositoryFile } from "./files.ts";
import { type DownloadOptions, type Need, obtainSnapshot } from "./snapshot.ts";

export interface DatasetOptions extends DownloadOptions {
  /** The folder of its tar files. Default "test". */
  readonly split?: string;
}

/** Files about the classes, beside the splits. */
const aboutClasses = ["classnames.txt", "zeroshot_classification_templates.txt"];
const shardCount = "nshards.txt";

/**
 * Downloads one split of a WebDataset, as CLIP_benchmark's are on the hub (`SPLIT/0.tar` ..., `SPLIT/nshards.txt`,
 * `classnames.txt`, `zeroshot_classification_templates.txt`), into the standard cache; as `downloadEncoder` does it.
 *
 * @param spec `owner/name` or `owner/name@revision` of a data set
 * @returns the snapshot's folder, which holds the split
 * @throws UsageError when the hub refuses or cannot be reached and the cache has no copy, when the data set has no tar
 *   files in that split, or when the cache cannot be written; the signal's reason when that ends it
 */
export async function downloadDataset(
  spec: string,
  { split = "test", ...options }: DatasetOptions = {},
): Promise<string> {
  const repository = parseHubId(spec);
  if (!repository) throw new UsageError(`"${spec}" is no hub id: write owner/name or owner/name@revision.`);
  try {
    return await obtainSnapshot({ ...repository, type: "dataset" }, splitNeed(split), options);
  } catch (cause) {
    // Errors that do not concern this data set have the same message everywhere.
    if (cause instanceof HubUnreachable || !(cause instanceof UsageError)) throw cause;
    throw new UsageError(`Data set ${spec}: ${cause.message}`, { cause });
  }
}

function splitNeed(split: string): Need {
  const begins = `${split}/`;
  const isShard = ({ path }: RepositoryFile): boolean => path.startsWith(begins) && path.endsWith(".tar");
  return {
    what: `of its ${split} split`,
    mayBeNeeded: (path) => /^[^/]+\/[^/]+\.tar$/.test(path) || [...aboutClasses, begins + shardCount].includes(path),
    choose: (files) => {
      const shards = files.filter(isShard);
      if (shards.length > 0) return [...shards, ...files.filter(({ path }) => !path.endsWith(".tar"))];
      const splits = [
        ...new Set(files.filter(({ path }) => path.endsWith(".tar")).map(({ path }) => path.split("/")[0])),
      ];
      throw new UsageError(
        `it holds no tar files in ${begins}${splits.length > 0 ? `, but in ${splits.join("/, ")}/` : ", nor in any other folder"}.`,
      );
    },
    holds: (folder) => holdsSplit(join(folder, split)),
  };
}

function holdsSplit(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const shards = readdirSync(folder).filter((name) => name.endsWith(".tar")).length;
  const count = join(folder, shardCount);
  return shards > 0 && (!existsSync(count) || shards === Number(readText(count)));
}
