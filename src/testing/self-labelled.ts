import { type ImageSource, openBatches } from "../data/index.ts";
import { Graph } from "../graph/index.ts";
import { classify } from "../models/classifier.ts";
import { type Encoder, frozenWeights } from "../models/encoder.ts";
import { compile } from "../runtime/index.ts";

/** The images with the labels that the encoder's head gives them, so that an untrained encoder is right about them all. */
export async function selfLabelled(encoder: Encoder, source: ImageSource): Promise<ImageSource> {
  const { framing, imageSize: size, head, parameters } = encoder;
  const { items } = source;
  const batch = items.length;
  const pixels = new Graph().input("pixels", "float32", [batch, 3, size, size]);
  const logits = classify(encoder.headFeatures(pixels, frozenWeights(pixels.graph, parameters)), head!);
  const program = await compile({ label: pixels.graph.argMax(logits, 1) }, { threads: 1 });
  const labels: number[] = [];
  for await (const images of openBatches(source, { framing, batch, order: items.map((_, i) => i), strict: true })) {
    const { label } = await program.run({ pixels: images.pixels });
    labels.push(...[...(label as BigInt64Array)].map(Number));
  }
  await program.dispose();
  return { ...source, items: items.map((item, i) => ({ ...item, label: labels[i]! })) };
}
