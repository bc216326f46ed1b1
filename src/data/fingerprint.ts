import { createHash, type Hash } from "node:crypto";
import { statSync } from "node:fs";
import type { ImageLocation, ImageSource } from "./source.ts";

/**
 * Fingerprint of a source, made without reading pixels. An image of the same name, label and size in bytes counts as the
 * same. The path of the folder does not matter.
 */
export interface SourceFingerprint {
  readonly images: number;
  /** SHA-256 of the images' names and labels, in order. */
  readonly names: string;
  /** SHA-256 of the sizes of their files. For generated images, of the parameters they are drawn from. */
  readonly sizes: string;
  /** SHA-256 of the classes' folders, names and indices; absent without classes. */
  readonly classes?: string;
}

export function sourceFingerprint({ items, classes }: ImageSource): SourceFingerprint {
  const [names, sizes] = [createHash("sha256"), createHash("sha256")];
  const containers = new Map<string, number>();
  for (const { id, label, location } of items) {
    update(names, [id, label ?? null]);
    update(sizes, sizesOf(location, containers));
  }
  return {
    images: items.length,
    names: names.digest("hex"),
    sizes: sizes.digest("hex"),
    ...(classes && { classes: createHash("sha256").update(JSON.stringify(classes)).digest("hex") }),
  };
}

/** SHA-256 of files' names and sizes. */
export function filesFingerprint(paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths) update(hash, [path.slice(path.lastIndexOf("/") + 1), fileSize(path)]);
  return hash.digest("hex");
}

function update(hash: Hash, values: readonly unknown[]): void {
  hash.update(`${JSON.stringify(values)}\n`);
}

/** @param containers sizes of files that hold several images, asked for once */
function sizesOf(location: ImageLocation, containers: Map<string, number>): readonly unknown[] {
  switch (location.kind) {
    case "file":
      return [fileSize(location.path)];
    case "slice":
      return [location.offset, location.length, containerSize(location.path, containers)];
    case "parquet":
      return [location.column, location.row, containerSize(location.path, containers)];
    case "synthetic":
      return [location.seed, location.split, location.index];
  }
}

function containerSize(path: string, containers: Map<string, number>): number {
  const known = containers.get(path);
  if (known !== undefined) return known;
  const size = fileSize(path);
  containers.set(path, size);
  return size;
}

/** Size in bytes; -1 for a missing file, which reading will report. */
function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? -1;
}

/** The first difference between two fingerprints, in words; undefined if there is none. */
export function sourceChange(before: SourceFingerprint, now: SourceFingerprint): string | undefined {
  if (before.images !== now.images) return `there were ${before.images} images, and there are ${now.images}`;
  if (before.names !== now.names) return "images have other names or labels";
  if (before.sizes !== now.sizes) return "files of images have other sizes";
  return before.classes === now.classes ? undefined : "classes have other names or indices";
}
