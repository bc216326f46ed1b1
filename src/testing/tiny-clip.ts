import { type VitArchitecture, VitEncoder, vitShapes } from "../models/architectures/vit.ts";
import { ClipText, type ClipTextArchitecture, clipTextShapes } from "../models/text/clip-text.ts";
import { clipTokenizer } from "../models/text/tokenizer.ts";
import { randomStream } from "../random.ts";
import { randomTensor } from "./tiny.ts";

/** Merges that make single tokens of "a", "photo", "of", "red" and "cat". */
const merges = ["p h", "o t", "ot o</w>", "ph oto</w>", "o f</w>", "r e", "re d</w>", "c a", "ca t</w>"].map(
  (pair) => pair.split(" ") as [string, string],
);

/** A CLIP of a few thousand weights: patch 4, 8 pixels, towers of width 16 and 12, embeddings of 10. */
export function tinyClip({
  seed = 0,
  activation = "quickGelu",
}: {
  seed?: number;
  activation?: "gelu" | "quickGelu";
} = {}): VitEncoder {
  const random = randomStream("tiny clip", seed);
  const tokenizer = clipTokenizer(merges, 24);
  const shared = { depth: 2, heads: 2, activation, normEpsilon: 1e-5 } as const;
  const vision: VitArchitecture = { ...shared, patch: 4, width: 16, patchBias: false, preNorm: true, projection: 10 };
  const text: ClipTextArchitecture = {
    ...shared,
    width: 12,
    hidden: 48,
    layerScale: false,
    vocabularySize: tokenizer.vocabularySize,
    contextLength: 24,
    embeddingSize: 10,
  };
  const parametersOf = (shapes: ReadonlyMap<string, readonly number[]>) =>
    new Map([...shapes].map(([name, shape]) => [name, randomTensor(random, name, shape)]));
  return new VitEncoder({
    name: "tiny-clip",
    architecture: vision,
    imageSize: 8,
    normalization: { mean: [0.48, 0.46, 0.41], std: [0.27, 0.26, 0.275] },
    parameters: parametersOf(vitShapes(vision, 8)),
    layout: "transformers-clip",
    text: new ClipText({
      architecture: text,
      parameters: parametersOf(clipTextShapes(text)),
      tokenizer,
      logitScale: 50,
    }),
  });
}
