import type { ImageSource } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import type { ZeroShotOptions } from "../../inference/index.ts";
import { fillTemplates, headRows, plainTemplate } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import { pickRows } from "../../models/index.ts";
import { type Similarity, similarityOf, textEmbeddings } from "./similarity.ts";

/** A source's classes in the plain template. */
export function plainTexts({ classes = [] }: ImageSource): readonly string[] {
  return classes.flatMap(({ name }) => fillTemplates([plainTemplate], name));
}

/**
 * Similarity to texts: cosines if the encoder has a text tower, else logits of the classes that the texts name.
 *
 * @throws UsageError when a text names none of the source's classes and the encoder has no text tower
 */
export async function textSimilarity(
  encoder: Encoder,
  source: ImageSource,
  texts: readonly string[],
  options: ZeroShotOptions = {},
): Promise<Similarity> {
  const { text, head, name } = encoder;
  if (text) {
    const data = await textEmbeddings(encoder, texts, options);
    const weight = { dtype: "float32", shape: [texts.length, text.embeddingSize], data } as const;
    return similarityOf(encoder, { kind: "cosine", weight, scale: text.logitScale });
  }
  if (!head)
    throw new UsageError(`${name} has neither a text tower nor a head; nothing says where an image should go.`);
  const rows = headRows(source, head);
  return similarityOf(
    encoder,
    pickRows(
      head,
      texts.map((one) => rows[namedClass(source, one)]!),
    ),
  );
}

/** The class whose name a text contains. If there are several, the one with the longest name. */
function namedClass({ name, classes = [] }: ImageSource, text: string): number {
  const named = classes
    .map((one, label) => ({ label, name: one.name.toLowerCase() }))
    .filter((one) => text.toLowerCase().includes(one.name))
    .sort((a, b) => b.name.length - a.name.length);
  if (named[0]) return named[0].label;
  throw new UsageError(
    `"${text}" names none of the classes of ${name}, and an encoder without a text tower can only go towards one of them.`,
  );
}
