import type { ImageSource } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { headRows } from "../evaluation/classes.ts";
import { openTemplates, zeroShotClassifier } from "../evaluation/index.ts";
import type { Classifier, Encoder, LinearClassifier } from "../models/index.ts";
import { allocate, type Tensor } from "../onnx/tensor.ts";
import { labelledClasses } from "../training/index.ts";
import { type ComputeFlags, compileFlags } from "./options.ts";

/** TeCoA's as published (Mao et al. 2023; RobustVLM trains with the same). */
export const tecoaTemplate = "This is a photo of a {}";

interface ClassifierFlags extends ComputeFlags {
  readonly method: string;
  /** A set's name, a file, or one template. */
  readonly templates?: string;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * What a supervised method tells the data's classes apart by, one row a class: the encoder's fixed head; where it has
 * none or templates are given, the text embeddings of the class names.
 *
 * @throws UsageError when the data has no labels, or the encoder neither a head that fits them nor a text tower
 */
export async function classifierOf(encoder: Encoder, source: ImageSource, flags: ClassifierFlags): Promise<Classifier> {
  const { method, templates, onProgress } = flags;
  const { head, text, name } = encoder;
  const classes = labelledClasses(source, method);
  if (head && templates === undefined) return pickRows(head, headRows(source, head));
  if (!text) {
    throw new UsageError(
      `${name} has no text tower${head ? "" : " and no classification head"}: ${method} takes its classes from ` +
        `${head ? "the head where no --templates are given" : "a CLIP with its text weights and tokeniser, or from a head"}.`,
    );
  }
  const names = classes.map((one) => one.name);
  return zeroShotClassifier(encoder, names, openTemplates(templates ?? tecoaTemplate), {
    ...compileFlags(flags),
    onProgress,
  });
}

function pickRows({ weight, bias }: LinearClassifier, rows: readonly number[]): LinearClassifier {
  return { kind: "linear", weight: rowsOf(weight, rows), bias: rowsOf(bias, rows) };
}

function rowsOf({ dtype, shape, data }: Tensor<"float32">, rows: readonly number[]): Tensor<"float32"> {
  const [, ...rest] = shape;
  const picked = allocate("float32", [rows.length, ...rest]);
  const width = picked.length / rows.length;
  for (const [i, row] of rows.entries()) picked.set(data.subarray(row * width, (row + 1) * width), i * width);
  return { dtype, shape: [rows.length, ...rest], data: picked };
}
