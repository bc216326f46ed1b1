import type { ImageSource } from "../../data/index.ts";
import type { ZeroShotOptions } from "../../inference/index.ts";
import { rowOf } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import type { InterpretabilityOf } from "../../results/index.ts";
import { spreadOf } from "../../results/index.ts";
import { alignment, nearestTexts } from "./alignment.ts";
import { flipResolution, flipUpTo } from "./flip.ts";
import { lookAtImages, type Seen } from "./observations.ts";
import { progressIn, type Settings } from "./options.ts";
import { classSimilarity, textEmbeddings } from "./similarity.ts";
import { synthesize } from "./synthesis.ts";
import { textSimilarity } from "./towards.ts";

/** Pictures of how an encoder sees images. */
export interface View {
  readonly imageSize: number;
  /** Names of the mapped images. */
  readonly names: readonly string[];
  /** [3, S, S] in [0, 1] each. */
  readonly images: readonly Float32Array[];
  /** Saliency, [S, S] each. */
  readonly maps: readonly Float32Array[];
  /** [3, S, S] in [0, 1] each, one a text. */
  readonly synthesized: readonly Float32Array[];
}

export interface InterpretedOne {
  readonly images: number;
  /** Images that could not be read. */
  readonly skipped: number;
  readonly of: InterpretabilityOf;
  readonly view: View;
}

export async function interpretOne(encoder: Encoder, source: ImageSource, settings: Settings): Promise<InterpretedOne> {
  const { towards } = settings;
  const prompts = promptOptions(encoder, settings);
  const similarity = await classSimilarity(encoder, source, prompts);
  // Before the long computation, so that a text unknown to the head is rejected at once.
  const goal = await textSimilarity(encoder, source, towards, prompts);
  const seen = await lookAtImages(encoder, source, similarity, settings);
  const ofTexts = encoder.text ? await textsOf(encoder, source, seen, settings) : { nearest: [] };
  const { pixels, similarities } = await synthesize(encoder.imageSize, goal, {
    ...settings,
    encoder: encoder.name,
    onProgress: progressIn("synthesis", encoder, settings),
  });
  const [from, to] = [similarities[0]!, similarities.at(-1)!];
  return {
    images: seen.labels.length,
    skipped: seen.skipped,
    of: {
      encoder: encoder.name,
      similarity: similarity.kind,
      ...ofTexts,
      saliencySharpness: spreadOf(seen.sharpness),
      flip: flipOf(seen.flips),
      synthesis: towards.map((text, i) => ({ towards: text, from: from[i]!, to: to[i]! })),
    },
    view: {
      ...{ imageSize: encoder.imageSize, names: seen.names, images: seen.images, maps: seen.maps },
      synthesized: towards.map((_, i) => rowOf(pixels, i, towards.length)),
    },
  };
}

/** Options for embedding texts, without the alignment's templates, which are not the classifier's. */
function promptOptions(encoder: Encoder, { templates: _, ...settings }: Settings): ZeroShotOptions {
  return { ...settings, onProgress: progressIn("prompts", encoder, settings) };
}

function flipOf(flips: Seen["flips"]): InterpretabilityOf["flip"] {
  const found = flips.filter((epsilon) => epsilon !== undefined);
  return {
    ...(found.length > 0 && { epsilon: spreadOf(found) }),
    ...{ share: found.length / flips.length, upTo: flipUpTo, resolution: flipResolution },
  };
}

/** Alignment with the texts of the images' own classes, and the texts nearest to the first images. */
async function textsOf(
  encoder: Encoder,
  source: ImageSource,
  { embeddings, labels, names }: Seen,
  settings: Settings,
): Promise<Pick<InterpretabilityOf, "alignment" | "alignmentByTemplate" | "nearest">> {
  const { templates, texts } = settings;
  const prompts = promptOptions(encoder, settings);
  const classNames = source.classes!.map(({ name }) => name);
  const cosines = await alignment(encoder, { embeddings, labels }, { classNames, templates }, prompts);
  const found = nearestTexts(embeddings.subarray(0, names.length * encoder.embeddingSize), names.length, {
    names: texts,
    embeddings: await textEmbeddings(encoder, texts, prompts),
  });
  return {
    alignment: spreadOf(cosines),
    alignmentByTemplate: templates.map((template, t) => ({
      template,
      cosine: labels.reduce((sum, _, i) => sum + cosines[i * templates.length + t]!, 0) / labels.length,
    })),
    nearest: names.map((image, i) => ({ image, texts: found[i]! })),
  };
}
