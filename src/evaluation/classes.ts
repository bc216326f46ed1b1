import type { ImageSource } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Head } from "../models/encoder.ts";

/**
 * Which rows of the head stand for a source's classes, in the order of its labels; undefined where labels are head
 * rows already.
 *
 * @throws UsageError when the source has no labels, or nothing says which head row a class is
 */
export function headRows(source: ImageSource, head: Head): readonly number[] {
  const { classes } = source;
  const rows = head.weight.shape[0]!;
  if (!classes) throw new UsageError(`${source.name}: accuracy needs labelled images, one sub-folder a class.`);
  const chosen = classes.map(({ headIndex }) => headIndex);
  if (chosen.every((row) => row !== undefined)) {
    const outside = chosen.find((row) => row >= rows);
    if (outside !== undefined)
      throw new UsageError(`${source.name}: class index ${outside} is outside the head's ${rows} classes.`);
    return chosen;
  }
  const unmapped = classes.find(({ headIndex }) => headIndex === undefined)!;
  if (chosen.some((row) => row !== undefined)) {
    throw new UsageError(
      `${source.name}: the class file gives no index of the head for the folder ${unmapped.folder}.`,
    );
  }
  if (classes.length === rows) return classes.map((_, i) => i);
  throw new UsageError(
    `${source.name} has ${classes.length} classes, the encoder's head ${rows}, and nothing says which is which: ` +
      "give --classes FILE, a JSON file that maps folder names to head indices.",
  );
}
