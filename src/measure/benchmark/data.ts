import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { type ImageSource, nameInOrder, openSource, withClasses } from "../../data/index.ts";
import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { type DownloadOptions, downloadDataset, parseHubId } from "../../hub/index.ts";
import type { SuiteData } from "./suite.ts";

export interface OpenDataOptions extends DownloadOptions {
  /** Folder searched for data sets by id before the hub. */
  readonly dataRoot?: string;
  /** Seed of generated images. */
  readonly seed?: number;
}

/** Prefix of CLIP_benchmark's ids. */
const clipBenchmark = "wds/";
const clipBenchmarkOwner = "clip-benchmark";

/**
 * Opens a set of a suite: generated images, a path, or a WebDataset with an id. An id is first searched in the data root
 * (as `ROOT/wds/vtab/cifar10`, `ROOT/wds_vtab-cifar10` or `ROOT/clip-benchmark/wds_vtab-cifar10`; `ROOT/owner/name` or
 * `ROOT/name`), then on the hub, from which the split is downloaded into the standard cache.
 *
 * @throws UsageError when it is not found or cannot be used; the signal's reason when that aborts a download
 */
export async function openSuiteData(set: SuiteData, options: OpenDataOptions = {}): Promise<ImageSource> {
  const { classes } = set;
  const { seed } = options;
  const source = await openSource(await locate(set, options), {
    ...defined({ seed }),
    ...(classes && "file" in classes && { classesFile: classes.file }),
  });
  if (!classes || "file" in classes || !source.classes) return source;
  const folders = source.classes.map(({ folder }) => folder);
  const named = nameInOrder(`Set ${set.name}: its list of classes`, classes, folders);
  return withClasses(source, { classes: named, remarks: [] });
}

async function locate({ data, split }: SuiteData, { dataRoot, ...download }: OpenDataOptions): Promise<string> {
  if (/^synthetic(:|$)/.test(data) || isAbsolute(data) || existsSync(data)) return data;
  const id = hubIdOf(data);
  if (id === undefined) {
    throw new UsageError(
      `No data at ${data}: there is no such file or folder beside the suite's file, and it is no id of a data set.`,
    );
  }
  const found = dataRoot === undefined ? undefined : places(data, id, dataRoot).find((place) => existsSync(place));
  const folder = found ?? (await downloadDataset(id, { ...download, split }));
  const part = join(folder, split);
  return existsSync(part) ? part : folder;
}

/** Hub id of a data set, `owner/name` or `owner/name@revision`; undefined if it is not an id. */
function hubIdOf(data: string): string | undefined {
  if (data.startsWith(clipBenchmark)) return `${clipBenchmarkOwner}/${cleaned(data)}`;
  return parseHubId(data) && data;
}

/** `wds/vtab/cifar10` as `wds_vtab-cifar10`. */
function cleaned(data: string): string {
  return `wds_${data.slice(clipBenchmark.length).replaceAll("/", "-")}`;
}

function places(data: string, id: string, root: string): readonly string[] {
  const whole = id.replace(/@.*$/, "");
  const name = whole.slice(whole.indexOf("/") + 1);
  return [...new Set([data, name, whole])].map((place) => join(root, place));
}
