import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, extname, join, sep } from "node:path";
import { imageExtensions, isImageName } from "../data/decode.ts";
import { DecodeError, readImage, writePlanes } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Framing } from "../framing.ts";

/** An image file on the command line. */
export interface ImageFile {
  readonly path: string;
  /** A file name without extension for what is made of the image; no two images share one. */
  readonly name: string;
}

/**
 * The images that paths stand for: files, and all in and below folders.
 *
 * @param reserved names that none of them gets
 * @throws UsageError when a path does not exist, or a folder holds no images
 */
export function listImages(paths: readonly string[], reserved: readonly string[] = []): readonly ImageFile[] {
  const found = paths.flatMap((path) => {
    if (!existsSync(path)) throw new UsageError(`${path} does not exist; give image files or folders of images.`);
    if (!statSync(path).isDirectory()) return [{ path, id: basename(path) }];
    return imagesUnder(path).map((id) => ({ path: join(path, id), id }));
  });
  // Some file systems do not tell capitals from small letters.
  const taken = new Set(reserved.map((name) => name.toLowerCase()));
  return found.map(({ path, id }) => {
    const plain = id.slice(0, id.length - extname(id).length).replaceAll("/", "-");
    let name = plain;
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${plain}-${number}`;
    taken.add(name.toLowerCase());
    return { path, name };
  });
}

/** Paths of all images in a folder and those below it, relative to it, in an order that is the same everywhere. */
function imagesUnder(folder: string): readonly string[] {
  const found = namesUnder(folder)
    .map((path) => path.replaceAll(sep, "/"))
    .filter((path) => isImageName(path) && !/(^|\/)\./.test(path))
    .sort();
  if (found.length > 0) return found;
  throw new UsageError(`Folder ${folder} holds no images (${imageExtensions.join(", ")}).`);
}

function namesUnder(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch (cause) {
    throw new UsageError(`Folder ${folder} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Pixels [files, 3, size, size] in [0, 1]: each image framed as the encoder takes it.
 *
 * @throws UsageError naming the first file that is no image
 */
export async function readImages(paths: readonly string[], framing: Framing): Promise<Float32Array> {
  const length = 3 * framing.size ** 2;
  const pixels = new Float32Array(paths.length * length);
  for (const [i, path] of paths.entries()) writePlanes(await readOne(path, framing), pixels, i * length);
  return pixels;
}

async function readOne(path: string, framing: Framing) {
  try {
    return await readImage({ kind: "file", path }, { framing });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const what = cause instanceof DecodeError ? "is no image that can be read" : "cannot be read";
    throw new UsageError(`${path} ${what}: ${reason}`, { cause });
  }
}
