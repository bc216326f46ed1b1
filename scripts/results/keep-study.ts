/** Holds label-free measures of agreement against accuracies, along blends of an encoder: which one predicts them? */
import { pgd } from "../../src/attacks/index.ts";
import { balancedSubset, openBatches, openSource } from "../../src/data/index.ts";
import { embedImages } from "../../src/evaluation/embed.ts";
import { evaluate } from "../../src/evaluation/index.ts";
import { blend } from "../../src/models/blend.ts";
import { type Encoder, loadEncoder } from "../../src/models/index.ts";
import { agreementOf } from "../../src/objectives/agreement.ts";

interface Study {
  readonly original: string;
  readonly robust: string;
  readonly imageSize?: number;
  /** Images without labels, of which those behind the first `trained` are held out. */
  readonly heldOut: { readonly data: string; readonly trained: number; readonly seed: number; readonly images: number };
  readonly sets: readonly {
    readonly name: string;
    readonly data: string;
    readonly limit?: number;
    readonly epsilons: readonly number[];
    readonly attacked?: number;
  }[];
  readonly weights: readonly number[];
  readonly threads: number;
}

const study = JSON.parse(process.argv[2]!) as Study;
const { threads } = study;
const size = study.imageSize === undefined ? {} : { imageSize: study.imageSize };
const original = await loadEncoder(study.original, size);
const robust = await loadEncoder(study.robust, size);

const source = await openSource(study.heldOut.data, { seed: 0 });
const { trained, images, seed } = study.heldOut;
const order = balancedSubset(source, trained + images, seed).slice(trained);
const pixels = new Float32Array(order.length * 3 * original.imageSize ** 2);
let at = 0;
for await (const batch of openBatches(source, { order, size: original.imageSize, batch: 64 })) {
  pixels.set(batch.pixels, at);
  at += batch.pixels.length;
}
const embed = (encoder: Encoder): Promise<Float32Array> => embedImages(encoder, pixels, { threads });
const z0 = await embed(original);

for (const weight of study.weights) {
  const encoder = blend(original, robust, weight);
  const agreement = agreementOf(z0, await embed(encoder), original.embeddingSize);
  const accuracies: Record<string, number> = {};
  for (const { name, data, limit, epsilons, attacked } of study.sets) {
    const labelled = await openSource(data, { seed: 0 });
    const cap = limit === undefined ? {} : { limit };
    const { clean } = await evaluate(encoder, labelled, { threads, seed: 0, batch: 50, ...cap });
    accuracies[`${name} clean`] = clean;
    if (epsilons.length === 0) continue;
    const { attacks } = await evaluate(encoder, labelled, {
      threads,
      seed: 0,
      batch: 50,
      ...(attacked === undefined ? cap : { limit: attacked }),
      attacks: epsilons.map((epsilon) => pgd({ epsilon: epsilon / 255, steps: 20 })),
    });
    for (const [i, { accuracy }] of attacks.entries()) accuracies[`${name} ${epsilons[i]}`] = accuracy;
  }
  process.stdout.write(`${JSON.stringify({ weight, agreement, accuracies })}\n`);
}
