import { UsageError } from "../errors.ts";
import { decodeText } from "../text.ts";
import { counted, some } from "../words.ts";
import type { ClassNames } from "./class-names.ts";
import { withRemarks } from "./remarks.ts";
import type { ImageItem, ImageSource, Remark } from "./source.ts";

/** A class by its number from 0, or by its name. */
export type Label = number | string;

/** An image of a container, with its label as stored there. */
export interface FoundItem extends Omit<ImageItem, "label"> {
  readonly label?: Label;
}

/** Names of columns and fields that hold a label, in the order of preference. */
const labelFields: readonly string[] = (
  "label labels cls class class_label category target label_id class_id category_id class_name label_name category_name " +
  "label_idx class_idx class_index label_index"
).split(" ");

/** Those of these names that the column or field of a label may have, the likeliest first. */
export function labelFieldsAmong(names: readonly string[]): readonly string[] {
  return labelFields.flatMap((field) => names.filter((name) => name.toLowerCase() === field));
}

/**
 * A label as files have it: a whole number from 0, a name, or a list of one of these.
 *
 * @param where it stands, for messages
 * @returns undefined where there is none: nothing, or -1, as on the hub
 * @throws {UsageError} when it is something else.
 */
export function readLabel(value: unknown, where: string): Label | undefined {
  if (value === undefined || value === null || value === -1 || value === -1n) return undefined;
  if (Array.isArray(value) && value.length === 1) return readLabel(value[0], where);
  if (typeof value === "boolean" || typeof value === "bigint") return readLabel(Number(value), where);
  if (value instanceof Uint8Array) return readLabel(decodeText(value), where);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  const text = typeof value === "string" ? value.trim() : "";
  const several = text.split(/[\s,;]+/);
  if (several.length > 1 && several.every(isNumber)) return readLabel(several, where);
  // A numeric text is a class number only if it is a whole number from 0.
  if (text !== "" && (isNumber(text) || Number.isNaN(Number(text)))) return text;
  const found = Array.isArray(value) ? `${value.length} labels` : `"${String(value).slice(0, 40)}"`;
  throw new UsageError(
    `${where} holds ${found}, which is no label. Labels are whole numbers from 0 or names of classes, one an image.`,
  );
}

/** Images and class names from a container of many images (tar, Parquet). */
export interface Contents {
  readonly name: string;
  /** At least one. */
  readonly items: readonly FoundItem[];
  /** Label i is `classNames.names[i]`. Without them, labels are called by their numbers, or are names themselves. */
  readonly classNames?: ClassNames | undefined;
  readonly templates?: readonly string[] | undefined;
  readonly remarks?: readonly Remark[];
}

/** Maximum class number in data without class names: a list of as many names is made. */
const largestLabel = 1_000_000;

/**
 * The source of these images, labelled where they are.
 *
 * @throws {UsageError} when only some images have a label, since what was measured on the others would not count; naming
 * the image, when its label is none of the named classes, is a name among numbers, or too large for a number of a class.
 */
export function sourceOf({ name, items, classNames, templates, remarks = [] }: Contents): ImageSource {
  checkAllOrNoneLabelled(items);
  const rest = { name, ...(templates && { templates }) };
  const first = items[0]?.label;
  if (first === undefined) return withRemarks({ ...rest, items: items as readonly ImageItem[] }, remarks);
  const isNamed = items.some(({ label }) => typeof label === "string" && !isNumber(label));
  const { numbered, names } = isNamed ? byName(items, classNames) : byNumber(items, classNames);
  const source = { ...rest, items: numbered, classes: names.map((one) => ({ folder: one, name: one })) };
  const numbersOnly = classNames === undefined && !isNamed;
  return withRemarks(source, [...remarks, ...(numbersOnly ? [onlyNumbers(name)] : []), ...withoutImages(source)]);
}

interface Numbered {
  readonly numbered: readonly ImageItem[];
  /** Label i is `names[i]`. */
  readonly names: readonly string[];
}

function byNumber(items: readonly FoundItem[], classNames: ClassNames | undefined): Numbered {
  const allNumbers = items.every(({ label }) => typeof label === "number");
  // A million images are not copied where nothing changes.
  const numbered = (allNumbers ? items : items.map((item) => ({ ...item, label: Number(item.label) }))) as ImageItem[];
  const count = classNames?.names.length ?? largestLabel;
  for (const { id, label } of numbered) {
    if (Number.isInteger(label) && label! >= 0 && label! < count) continue;
    throw new UsageError(
      `${id} has the label ${label}, which is no class: ${whatIsOne(classNames)}. Correct one of them.`,
    );
  }
  const largest = numbered.reduce((most, { label = 0 }) => Math.max(most, label), 0);
  return { numbered, names: classNames?.names ?? Array.from({ length: largest + 1 }, (_, label) => `${label}`) };
}

function whatIsOne(classNames: ClassNames | undefined): string {
  if (classNames === undefined) return `labels are whole numbers from 0, at most ${largestLabel}`;
  const { path, names } = classNames;
  return `${path} names ${counted(names.length, "class", "classes")}, labels 0 to ${names.length - 1}`;
}

function byName(items: readonly FoundItem[], classNames: ClassNames | undefined): Numbered {
  const number = items.find(({ label }) => typeof label === "number");
  const text = items.find(({ label }) => typeof label === "string" && !isNumber(label))!;
  if (number !== undefined)
    throw new UsageError(
      `${text.id} has the label "${text.label}", and ${number.id} the number ${number.label}. Give all of them names, or numbers.`,
    );
  const names = classNames?.names ?? [...new Set(items.map(({ label }) => label as string))].sort();
  const places = new Map(names.map((one, i) => [one, i]));
  if (places.size < names.length) {
    const twice = names.find((one, i) => places.get(one) !== i);
    throw new UsageError(
      `${classNames!.path} calls two classes "${twice}", and labels that are names do not tell them apart.`,
    );
  }
  const numbered = items.map(({ label, ...item }): ImageItem => {
    const place = places.get(label as string);
    if (place !== undefined) return { ...item, label: place };
    throw new UsageError(
      `${item.id} has the label "${label}", which is none of the classes in ${classNames!.path}. Correct one of them.`,
    );
  });
  return { numbered, names };
}

function isNumber(label: string): boolean {
  return /^\d+$/.test(label);
}

function checkAllOrNoneLabelled(items: readonly FoundItem[]): void {
  const labelled = items.find(({ label }) => label !== undefined);
  const unlabelled = items.find(({ label }) => label === undefined);
  if (!labelled || !unlabelled) return;
  throw new UsageError(`${unlabelled.id} has no label, though ${labelled.id} has one. Add or remove labels.`);
}

function onlyNumbers(name: string): Remark {
  return {
    kind: "names",
    message:
      `Nothing names the classes of ${name}, which are called by their numbers: a zero-shot classifier would look for ` +
      'things called "0", "1" and so on. Put classnames.txt beside the data, or give a class file with --classes.',
  };
}

function withoutImages({ name, items, classes = [] }: ImageSource): readonly Remark[] {
  const present = new Set(items.map(({ label }) => label));
  const empty = classes.filter((_, label) => !present.has(label)).map((one) => one.name);
  if (empty.length === 0) return [];
  const of = `${empty.length} of the ${counted(classes.length, "class", "classes")}`;
  return [{ kind: "fact", message: `${name} has no images of ${of} (${some(empty)}).` }];
}
