import { chooseImages, collecting, type ImageSource } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import type { Encoder } from "../../models/index.ts";
import type { Interpretability } from "../../results/index.ts";
import { type InterpretedOne, interpretOne, type View } from "./interpret-encoder.ts";
import type { InterpretOptions } from "./options.ts";
import { manyTemplates } from "./templates.ts";
import { plainTexts } from "./towards.ts";

/** Numbers for a finding, and the data for its pictures. */
export interface Interpreted extends Omit<Interpretability, "pictures"> {
  readonly towards: readonly string[];
  /** One an encoder. */
  readonly views: readonly View[];
}

/** Default number of classes that images are synthesised towards. */
const usualTowards = 6;

/**
 * Measures how encoders see images: alignment with the texts of their classes, nearest texts, saliency, the perturbation
 * that flips a prediction, and images made by gradient ascent. The same images, options and seed give the same numbers.
 *
 * @throws UsageError when the source has no labels or no image that can be read, when an encoder has neither a text tower nor
 *   a head that fits the labels, or a head is to go towards what is no class of the source
 */
export async function interpret(
  encoders: readonly Encoder[],
  source: ImageSource,
  options: InterpretOptions = {},
): Promise<Interpreted> {
  const { templates = manyTemplates(), texts = plainTexts(source), seed = 0, shown = 4 } = options;
  const { towards = plainTexts(source).slice(0, usualTowards) } = options;
  const telling = collecting(options);
  const order = chooseImages(source, { limit: options.limit, seed, ...telling });
  const found: InterpretedOne[] = [];
  for (const [i, encoder] of encoders.entries()) {
    const kept = options.kept?.[i];
    const one =
      kept?.found ??
      (await interpretOne(encoder, source, { ...options, ...telling, templates, texts, towards, shown, seed, order }));
    if (kept && !kept.found) kept.keep(one);
    found.push(one);
  }
  const [first] = found;
  if (!first) throw new UsageError("At least one encoder is needed.");
  return {
    dataset: source.name,
    images: first.images,
    skipped: first.skipped,
    classes: source.classes!.length,
    templates: found.some(({ of }) => of.alignment) ? templates.length : 0,
    encoders: found.map(({ of }) => of),
    towards,
    views: found.map(({ view }) => view),
    warnings: telling.warnings,
  };
}
