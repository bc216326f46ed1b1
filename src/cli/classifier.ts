import type { ImageSource, Telling } from "../data/index.ts";
import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import { chooseClassifier, openTemplates } from "../inference/index.ts";
import type { Classifier, Encoder } from "../models/index.ts";
import { labelledClasses } from "../training/index.ts";
import { compileFlags, type DeviceFlags } from "./options.ts";

/** TeCoA's as published (Mao et al. 2023; RobustVLM trains with the same). */
export const tecoaTemplate = "This is a photo of a {}";

interface ClassifierFlags extends DeviceFlags, Telling {
  readonly method: string;
  /** A set's name, a file, or one template. */
  readonly templates?: string;
  readonly onProgress: (done: number, total: number) => void;
}

/**
 * The classifier of a supervised method, one row per class of the data: the encoder's fixed head, or the text embeddings
 * of the class names where there is no head or templates are given.
 *
 * @throws UsageError when the data has no labels, or the encoder neither a head that fits them nor a text tower
 */
export async function classifierOf(encoder: Encoder, source: ImageSource, flags: ClassifierFlags): Promise<Classifier> {
  const { method, templates, strict, onWarning, onProgress } = flags;
  const { head, text, name } = encoder;
  labelledClasses(source, method);
  if (!text && (!head || templates !== undefined)) {
    throw new UsageError(
      `${name} has no text tower${head ? "" : " and no classification head"}: ${method} takes its classes from ` +
        `${head ? "the head where no --templates are given" : "a CLIP with its text weights and tokeniser, or from a head"}.`,
    );
  }
  return chooseClassifier(encoder, source, {
    ...(await compileFlags(flags)),
    ...defined({ templates: templates === undefined ? undefined : openTemplates(templates), strict, onWarning }),
    defaultTemplates: [tecoaTemplate],
    onProgress,
  });
}
