import { UsageError } from "../errors.ts";
import type { ImageItem, ImageSource } from "./source.ts";

/** What a container of many images (tar, Parquet) says about them. */
export interface Contents {
  readonly name: string;
  /** At least one. */
  readonly items: readonly ImageItem[];
  /** Label i is `classNames[i]`. Without them, labels are called by their numbers. */
  readonly classNames?: readonly string[] | undefined;
  readonly templates?: readonly string[] | undefined;
}

/**
 * The source of these images, labelled where they are.
 *
 * @throws {UsageError} when only some images have a label: what was measured on the others would not count.
 */
export function sourceOf({ name, items, classNames, templates }: Contents): ImageSource {
  checkAllOrNoneLabelled(items);
  const names = items[0]?.label === undefined ? undefined : (classNames ?? numbers(items));
  return {
    name,
    items,
    ...(names && { classes: names.map((className) => ({ folder: className, name: className })) }),
    ...(templates && { templates }),
  };
}

function checkAllOrNoneLabelled(items: readonly ImageItem[]): void {
  const labelled = items.find(({ label }) => label !== undefined);
  const unlabelled = items.find(({ label }) => label === undefined);
  if (!labelled || !unlabelled) return;
  throw new UsageError(`${unlabelled.id} has no label, though ${labelled.id} has one. Add or remove labels.`);
}

function numbers(items: readonly ImageItem[]): string[] {
  const last = items.reduce((most, { label = 0 }) => Math.max(most, label), 0);
  return Array.from({ length: last + 1 }, (_, label) => `${label}`);
}
