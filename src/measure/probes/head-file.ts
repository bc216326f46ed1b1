import type { ImageSource } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import { type LinearClassifier, pickRows } from "../../models/index.ts";
import { encodeSafetensors, readSafetensors } from "../../safetensors.ts";
import type { Tensor } from "../../tensor/index.ts";
import { some } from "../../words.ts";
import { placesOf } from "./places.ts";

/** A fitted head, and for each of its rows the folder of the class's images. */
export interface FittedHead {
  readonly head: LinearClassifier;
  readonly folders: readonly string[];
}

/** Writes safetensors: `weight` [classes, D], `bias` [classes], and the classes' folders in the metadata. */
export function writeHead(path: string, { head: { weight, bias }, folders }: FittedHead): void {
  const tensors = new Map<string, Tensor>([
    ["weight", weight],
    ["bias", bias],
  ]);
  writeAtomically(path, encodeSafetensors(tensors, new Map([["classes", JSON.stringify(folders)]])));
}

/**
 * Reads a file written by `writeHead`.
 *
 * @throws UsageError when the file is no such head
 */
export function readHead(path: string): FittedHead {
  const { tensors, metadata } = open(path);
  const [weight, bias] = [tensors.get("weight"), tensors.get("bias")];
  const folders = JSON.parse(metadata.get("classes") ?? "[]") as readonly string[];
  const [rows] = weight?.shape ?? [];
  if (!isMatrix(weight) || bias?.dtype !== "float32" || bias.data.length !== rows || folders.length !== rows)
    throw new UsageError(`${path} is no head that lore probe --save-head wrote.`);
  return { head: { kind: "linear", weight, bias: bias as Tensor<"float32"> }, folders };
}

function open(path: string): ReturnType<typeof readSafetensors> {
  try {
    return readSafetensors(path);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`Head ${path}: ${cause.message}`, { cause });
  }
}

function isMatrix(tensor: Tensor | undefined): tensor is Tensor<"float32"> {
  return tensor?.dtype === "float32" && tensor.shape.length === 2;
}

/**
 * The head's rows for a source's classes, and the source with its classes in that order. Head rows given in the source's
 * own class file are ignored.
 *
 * @throws UsageError when the source has no labels, or a class that the head has no row for
 */
export function headFor(
  { head, folders }: FittedHead,
  source: ImageSource,
): { readonly head: LinearClassifier; readonly source: ImageSource } {
  const classes = (source.classes ?? []).map(({ folder, name }) => ({ folder, name }));
  if (classes.length === 0)
    throw new UsageError(`${source.name}: accuracy needs labelled images, one sub-folder a class.`);
  const wanted = classes.map(({ folder }) => folder);
  const rows = placesOf(wanted, folders, (folder, places) =>
    places.length === 0
      ? `The head was fitted on other classes: ${some(folders, 5)}; none called ${folder}.`
      : `The head was fitted on ${places.length} classes called ${folder}, among others than those of ${source.name}.`,
  );
  return { head: pickRows(head, rows), source: { ...source, classes } };
}
