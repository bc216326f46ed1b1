import type { Telling } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import {
  Forward,
  openTemplates,
  plainTemplate,
  tellSharedNames,
  usualBatch,
  zeroShotClassifier,
} from "../inference/index.ts";
import type { Classifier, Encoder } from "../models/index.ts";
import { classify, frozenWeights } from "../models/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { counted } from "../words.ts";

export interface NamingFlags {
  readonly names?: readonly string[];
  /** A set's name, a file, or one template. */
  readonly templates?: string;
}

/** A classifier and the names of its classes. */
export interface Naming {
  readonly classifier: Classifier;
  readonly names: readonly string[];
}

/**
 * The classifier by which an encoder names images: zero-shot if names are given and it has a text tower, else its fixed
 * head.
 *
 * @returns undefined where no names are asked for and the encoder has no head
 * @throws UsageError when names are asked for that the encoder cannot tell apart
 */
export async function openNaming(
  encoder: Encoder,
  { names, templates }: NamingFlags,
  compute: CompileOptions & Telling,
): Promise<Naming | undefined> {
  const { head, text, name } = encoder;
  if (templates !== undefined && !names)
    throw new UsageError("--templates needs --names, which go into the templates.");
  if (names && text) {
    const prompts = templates === undefined ? [plainTemplate] : openTemplates(templates);
    const classes = names.map((name) => ({ folder: name, name }));
    tellSharedNames({ name: "--names", items: [], classes }, text, prompts[0]!, compute);
    return { names, classifier: await zeroShotClassifier(encoder, names, prompts, compute) };
  }
  if (names && (!head || templates !== undefined))
    throw new UsageError(`--names: ${name} has no text tower; zero-shot names need a CLIP with its text weights.`);
  if (!head) return undefined;
  const [classes] = head.weight.shape;
  if (names && names.length !== classes)
    throw new UsageError(
      `--names gives ${counted(names.length, "name")}, and the head of ${name} has ${counted(classes!, "class", "classes")}.`,
    );
  return { classifier: head, names: names ?? Array.from({ length: classes! }, (_, i) => `class ${i}`) };
}

/**
 * The likeliest name of each image.
 *
 * @param groups pixels [count, 3, S, S] in [0, 1] each
 * @param nameOf an image's name in messages, by group
 */
export async function nameImages(
  encoder: Encoder,
  { classifier, names }: Naming,
  groups: readonly Float32Array[],
  nameOf: (image: number) => string,
  compute: CompileOptions,
): Promise<readonly (readonly string[])[]> {
  const { name, imageSize, parameters } = encoder;
  const batch = Math.min(usualBatch, Math.max(...groups.map(({ length }) => length / (3 * imageSize ** 2))));
  const forward = await Forward.compile(
    (x) => {
      const weights = frozenWeights(x.graph, parameters);
      const features = classifier.kind === "linear" ? encoder.headFeatures(x, weights) : encoder.embed(x, weights);
      return { embeddings: features, logits: classify(features, classifier) };
    },
    { ...compute, encoder: name, imageSize, batch, nonZero: classifier.kind === "cosine" ? ["embeddings"] : [] },
  );
  try {
    const named: (readonly string[])[] = [];
    for (const pixels of groups) {
      const { logits } = await forward.run(pixels, nameOf);
      const rows = Array.from({ length: logits.length / names.length }, (_, i) =>
        logits.subarray(i * names.length, (i + 1) * names.length),
      );
      named.push(rows.map((row) => names[row.indexOf(Math.max(...row))]!));
    }
    return named;
  } finally {
    await forward.dispose();
  }
}
