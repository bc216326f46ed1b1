/** A decoded image: RGB, 8 bits a channel, rows from the top, `data.length === height * width * 3` (HWC). */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Parts of a generated data set: the same (colour, shape) pairs in train and test, pairs that neither has in heldout, and
 * all of them in all.
 */
export type SyntheticSplit = "train" | "test" | "heldout" | "all";

/**
 * Where the pixels of an image come from. Plain data, so that it can be posted to a worker thread: whoever holds a
 * location can read the image, without the source that listed it.
 */
export type ImageLocation =
  | { readonly kind: "file"; readonly path: string }
  | ImageSlice
  | ParquetRow
  | { readonly kind: "synthetic"; readonly seed: number; readonly split: SyntheticSplit; readonly index: number };

/** An image file inside another file that is no compressed archive: bytes `offset` ... `offset + length`. */
export interface ImageSlice {
  readonly kind: "slice";
  readonly path: string;
  /** The image's name inside the file. */
  readonly entry: string;
  readonly offset: number;
  readonly length: number;
}

/** An image file in a column of a Parquet file; `row` counts from 0 over the whole file. */
export interface ParquetRow {
  readonly kind: "parquet";
  readonly path: string;
  readonly column: string;
  readonly row: number;
}

/** One image of a source, not yet read. */
export interface ImageItem {
  /**
   * Path relative to the data's folder with forward slashes, with the name inside that file where it holds several
   * (`train/0.tar: s01.jpg`), or a name; stable, unique within its source.
   */
  readonly id: string;
  /** Index into the source's `classes`; absent where the image has no label. */
  readonly label?: number;
  /** Description of the image in words. */
  readonly caption?: string;
  readonly location: ImageLocation;
}

/** One class of a labelled source. */
export interface ImageClass {
  /** Name of the class's folder (a WordNet id in ImageNet's layout); the class's name in data without folders. */
  readonly folder: string;
  /** Name for people and for zero-shot prompts; the folder's where no file says more. */
  readonly name: string;
  /** Row of a fixed classification head that stands for this class; absent where no class file says so. */
  readonly headIndex?: number;
}

/**
 * A remark that the numbers about a source do not show by themselves. Kinds:
 * - `fault`: something requested is missing, or a number does not mean what it seems to;
 * - `names`: the same, but only where class names are used, as in zero-shot prompts;
 * - `fact`: information only.
 */
export interface Remark {
  readonly kind: "fault" | "names" | "fact";
  readonly message: string;
}

/** A list of images in a fixed order. Listing reads no pixels; `openBatches` does. */
export interface ImageSource {
  /** The source's name in messages and tables: a folder's path, or `synthetic:...`. */
  readonly name: string;
  readonly items: readonly ImageItem[];
  /** Present exactly when the items carry labels: `label` is an index into this list. */
  readonly classes?: readonly ImageClass[];
  /** Prompts for zero-shot classification that come with the data, with `{}` for the class's name. */
  readonly templates?: readonly string[];
  /** Omissions, and other facts that a reader of the numbers must know. Absent if there are none. */
  readonly remarks?: readonly Remark[];
}

/** The place of an image as error messages name it: the file's path (and the name in it), or the generated image's name. */
export function describeLocation(location: ImageLocation): string {
  switch (location.kind) {
    case "file":
      return location.path;
    case "slice":
      return `${location.path}: ${location.entry}`;
    case "parquet":
      return `${location.path}: row ${location.row}`;
    case "synthetic":
      return `synthetic image ${location.index} (split ${location.split}, seed ${location.seed})`;
  }
}
