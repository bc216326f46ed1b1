import type { ZeroShotOptions } from "../../inference/index.ts";
import { fillTemplates, rowOf, tellCutTexts } from "../../inference/index.ts";
import type { Encoder } from "../../models/index.ts";
import { textEmbeddings } from "./similarity.ts";

/** Texts embedded and cached at a time, in whole classes. */
const textsAtOnce = 3000;

/**
 * Cosine of each image with the texts of its own class, [images, templates]: the paper's alignment of image and text.
 *
 * @param embeddings of the images, [images, D]
 * @param labels one an image, indices into the class names
 * @throws UsageError when the encoder has no text tower, or there are no templates
 */
export async function alignment(
  encoder: Encoder,
  { embeddings, labels }: { readonly embeddings: Float32Array; readonly labels: readonly number[] },
  { classNames, templates }: { readonly classNames: readonly string[]; readonly templates: readonly string[] },
  options: ZeroShotOptions = {},
): Promise<Float32Array> {
  const cosines = new Float32Array(labels.length * templates.length);
  const present = [...new Set(labels)].sort((a, b) => a - b);
  const atOnce = Math.max(1, Math.floor(textsAtOnce / templates.length));
  const { strict: _, onWarning: __, ...quiet } = options;
  const { text, name } = encoder;
  // Progress counts all texts together, not each group from zero.
  if (text)
    tellCutTexts(
      name,
      text,
      present.flatMap((label) => fillTemplates(templates, classNames[label]!)),
      options,
    );
  for (let start = 0; start < present.length; start += atOnce) {
    const group = present.slice(start, start + atOnce);
    const prompts = group.flatMap((label) => fillTemplates(templates, classNames[label]!));
    const texts = await textEmbeddings(encoder, prompts, {
      ...quiet,
      onProgress: (done, total) =>
        options.onProgress?.(
          (start + (done / total) * group.length) * templates.length,
          present.length * templates.length,
        ),
    });
    for (const [i, label] of labels.entries()) {
      const at = group.indexOf(label);
      if (at === -1) continue;
      const image = rowOf(embeddings, i, labels.length);
      const own = rowOf(texts, at, group.length);
      for (let t = 0; t < templates.length; t++)
        cosines[i * templates.length + t] = cosine(image, rowOf(own, t, templates.length));
    }
  }
  return cosines;
}

/**
 * The texts nearest to each image by cosine, the nearest first.
 *
 * @param embeddings of the images, [count, D]
 * @param texts embeddings of length 1, [texts, D]
 */
export function nearestTexts(
  embeddings: Float32Array,
  count: number,
  texts: { readonly names: readonly string[]; readonly embeddings: Float32Array },
  top = 5,
): readonly (readonly { readonly text: string; readonly cosine: number }[])[] {
  return Array.from({ length: count }, (_, i) => {
    const image = rowOf(embeddings, i, count);
    const all = texts.names.map((text, t) => ({
      text,
      cosine: cosine(image, rowOf(texts.embeddings, t, texts.names.length)),
    }));
    return all.sort((a, b) => b.cosine - a.cosine).slice(0, top);
  });
}

/** @param text of length 1 */
function cosine(image: Float32Array, text: Float32Array): number {
  let product = 0;
  let square = 0;
  for (let d = 0; d < image.length; d++) {
    product += image[d]! * text[d]!;
    square += image[d]! ** 2;
  }
  return product / Math.max(Math.sqrt(square), 1e-12);
}
