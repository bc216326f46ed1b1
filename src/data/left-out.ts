import { counted } from "../words.ts";
import { imageExtensions } from "./decode.ts";
import type { Remark } from "./source.ts";

/** Files beside images that are not images: texts, tables, arrays, archives, files of operating systems. */
const companions = new Set(
  (
    "txt md rst json jsonl csv tsv xml yaml yml toml html htm log lst pdf doc docx xls xlsx cls caption " +
    "npy npz mat pkl pickle pt pth h5 hdf5 safetensors parquet arrow db ini lnk py sh m ipynb " +
    "tar tgz gz bz2 xz zst zip 7z rar md5 sha256 wav mp3 mp4 avi mov webm index idx tmp part"
  ).split(" "),
);

const aboutNames =
  /^(readme|licen[cs]e|copying|notice|notes|authors|citation|changelog|makefile|classes|classnames|metadata|nshards|dataset_infos?)$/i;

/** Whether a file, by its name, describes the whole data set and not an image. */
export function isAboutData(name: string): boolean {
  return aboutNames.test(name.slice(name.lastIndexOf("/") + 1).replace(/\..*$/, ""));
}

/** Whether a file that is no image by its name may be one all the same: in another format, or without an extension. */
export function mayBeImage(name: string): boolean {
  const file = name.slice(name.lastIndexOf("/") + 1);
  return extensionOf(file) === "" ? !isAboutData(file) : !companions.has(extensionOf(file));
}

/**
 * Remarks on files among images that were skipped because of their names.
 *
 * @param files those that `mayBeImage`
 */
export function leftOutByName(where: string, files: readonly string[]): readonly Remark[] {
  if (files.length === 0) return [];
  const counts = new Map<string, number>();
  for (const file of files) {
    const extension = extensionOf(file.slice(file.lastIndexOf("/") + 1));
    const kind = extension === "" ? "no extension" : `.${extension}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const kinds = [...counts].map(([kind, count]) => `${count} with ${kind}`).join(", ");
  const message =
    `${where}: ${counted(files.length, "file is", "files are")} left out, whose names are not those of images (${kinds}; the ` +
    `first is ${files[0]}). Read are ${imageExtensions.join(", ")}: convert, rename or remove the others.`;
  return [{ kind: "fault", message }];
}

function extensionOf(file: string): string {
  const dot = file.lastIndexOf(".");
  return dot <= 0 ? "" : file.slice(dot + 1).toLowerCase();
}
