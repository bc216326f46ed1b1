import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, extname, join, relative, sep } from "node:path";
import {
  DecodeError,
  type ImageSource,
  imageExtensions,
  isImageName,
  leftOutByName,
  mayBeImage,
  type RawImage,
  type Remark,
  readImage,
  type SkippedImage,
  writePlanes,
} from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Framing } from "../framing.ts";

/** An image file on the command line. */
export interface ImageFile {
  readonly path: string;
  /** A file name without extension for results of this image; unique among the images. */
  readonly name: string;
}

/** Image files, and remarks on files that were passed over. */
export interface ImageFiles {
  readonly files: readonly ImageFile[];
  readonly remarks: readonly Remark[];
}

/**
 * Lists the images of paths: files, and all images in and below folders.
 *
 * @param reserved names not to use for images
 * @throws UsageError when a path does not exist, or a folder holds no images
 */
export function listImages(paths: readonly string[], reserved: readonly string[] = []): ImageFiles {
  const remarks: Remark[] = [];
  const found = paths.flatMap((path) => {
    if (!existsSync(path)) throw new UsageError(`${path} does not exist; give image files or folders of images.`);
    if (!statSync(path).isDirectory()) return [{ path, id: basename(path) }];
    const names = namesUnder(path);
    remarks.push(
      ...leftOutByName(
        path,
        names.filter((name) => !isImageName(name) && mayBeImage(name) && !statSync(join(path, name)).isDirectory()),
      ),
    );
    return imagesIn(path, names).map((id) => ({ path: join(path, id), id }));
  });
  // Some file systems do not tell capitals from small letters.
  const taken = new Set(reserved.map((name) => name.toLowerCase()));
  const files = found.map(({ path, id }) => {
    const plain = id.slice(0, id.length - extname(id).length).replaceAll("/", "-");
    let name = plain;
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${plain}-${number}`;
    taken.add(name.toLowerCase());
    return { path, name };
  });
  return { files, remarks };
}

/** The images of a path as a source without labels, each by its path within the folder. */
export function plainSource(path: string): ImageSource {
  const { files, remarks } = listImages([path]);
  const isFolder = statSync(path).isDirectory();
  const idOf = (file: string): string => (isFolder ? relative(path, file).replaceAll(sep, "/") : basename(file));
  return {
    name: path,
    items: files.map((file) => ({ id: idOf(file.path), location: { kind: "file", path: file.path } })),
    remarks,
  };
}

function imagesIn(folder: string, names: readonly string[]): readonly string[] {
  const found = names.filter(isImageName);
  if (found.length > 0) return found;
  throw new UsageError(`Folder ${folder} holds no images (${imageExtensions.join(", ")}).`);
}

/** Relative paths of all files in and below a folder that are not hidden, in an order independent of the system. */
function namesUnder(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((path) => path.replaceAll(sep, "/"))
      .filter((path) => !/(^|\/)\./.test(path))
      .sort();
  } catch (cause) {
    throw new UsageError(`Folder ${folder} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Images that could be read. */
export interface Pixels {
  readonly files: readonly ImageFile[];
  /** [files, 3, size, size] in [0, 1] */
  readonly pixels: Float32Array;
}

/**
 * Reads images, framed for the encoder. Those that cannot be read are left out.
 *
 * @param onSkip called for each image that is left out
 * @throws UsageError naming the first file that is no image, where none can be read, or one under `strict`
 */
export async function readImages(
  files: readonly ImageFile[],
  framing: Framing,
  { strict, onSkip }: { readonly strict?: true | undefined; readonly onSkip?: (skip: SkippedImage) => void } = {},
): Promise<Pixels> {
  const length = 3 * framing.size ** 2;
  const pixels = new Float32Array(files.length * length);
  const read: ImageFile[] = [];
  let first: UsageError | undefined;
  for (const file of files) {
    try {
      writePlanes(await readOne(file.path, framing), pixels, read.length * length);
      read.push(file);
    } catch (error) {
      if (strict || !(error instanceof UsageError)) throw error;
      first ??= error;
      onSkip?.({ id: file.path, reason: reasonOf(error.cause) });
    }
  }
  if (read.length === 0 && first) throw first;
  return { files: read, pixels: pixels.subarray(0, read.length * length) };
}

/** The pixels [3, size, size] of one image file. @throws UsageError when it is no image */
export async function readImageFile(path: string, framing: Framing): Promise<Float32Array> {
  const pixels = new Float32Array(3 * framing.size ** 2);
  writePlanes(await readOne(path, framing), pixels, 0);
  return pixels;
}

async function readOne(path: string, framing: Framing): Promise<RawImage> {
  try {
    return await readImage({ kind: "file", path }, { framing });
  } catch (cause) {
    const what = cause instanceof DecodeError ? "is no image that can be read" : "cannot be read";
    throw new UsageError(`${path} ${what}: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
