/**
 * Makes `assets/shapes-encoder`, the small encoder that `lore quickstart` starts from: a vision transformer trained
 * with labels, from random weights, on generated shapes. Run with `npx tsx scripts/train-shapes-encoder.ts`.
 */
import { parseArgs } from "node:util";
import { crossEntropy } from "../src/attacks/index.ts";
import { gradients } from "../src/autodiff/index.ts";
import { openBatches, shuffled, synthetic } from "../src/data/index.ts";
import { evaluate } from "../src/evaluation/index.ts";
import { Graph } from "../src/graph/index.ts";
import type { LinearClassifier } from "../src/models/classifier.ts";
import { randomVitParameters, saveEncoder, VitEncoder } from "../src/models/index.ts";
import { randomStream } from "../src/random.ts";
import { compile } from "../src/runtime/index.ts";
import { AdamW } from "../src/training/adamw.ts";
import { learningRateAt } from "../src/training/schedule.ts";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "4000" },
    batch: { type: "string", default: "128" },
    "learning-rate": { type: "string", default: "1e-3" },
    out: { type: "string", default: "assets/shapes-encoder" },
  },
});
const [steps, batch, peak] = [Number(values.steps), Number(values.batch), Number(values["learning-rate"])];
const architecture = { patch: 8, width: 128, depth: 4, heads: 2 };
const imageSize = 32;
const seed = 0;

const random = randomStream(seed, "shapes-encoder");
const train = synthetic({ count: steps * batch, seed, split: "train" });
const classes = train.classes!.length;
const parameters = randomVitParameters(architecture, imageSize, random.normal);
const head: LinearClassifier = {
  kind: "linear",
  weight: {
    dtype: "float32",
    shape: [classes, architecture.width],
    data: new Float32Array(classes * architecture.width).map(() => 0.02 * random.normal()),
  },
  bias: { dtype: "float32", shape: [classes], data: new Float32Array(classes) },
};
const encoder = new VitEncoder({
  name: "shapes-encoder",
  architecture,
  imageSize,
  normalization: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  parameters,
  head,
});

const g = new Graph();
const pixels = g.input("pixels", "float32", [batch, 3, imageSize, imageSize]);
const labels = g.input("labels", "int64", [batch]);
const trained = new Map([...parameters, ["head.weight", head.weight] as const, ["head.bias", head.bias] as const]);
const weights = new Map([...trained].map(([name, { shape }]) => [name, g.input(name, "float32", shape)]));
const embedding = encoder.embed(pixels, (name) => weights.get(name)!);
const logits = g.gemm(embedding, weights.get("head.weight")!, weights.get("head.bias"), { transB: true });
const loss = g.reduceMean(crossEntropy(logits, labels));
const derivatives = gradients(loss, [...weights.values()]);
const named = Object.fromEntries([...weights.keys()].map((name, i) => [`d ${name}`, derivatives[i]!]));
const program = await compile({ loss, ...named });

const optimizer = new AdamW(trained, { weightDecay: 0.05 });
const feeds = Object.fromEntries([...trained].map(([name, { data }]) => [name, data]));
const order = shuffled(
  train.items.map((_, i) => i),
  seed,
  0,
);
let step = 0;
let average = 0;
const started = performance.now();
for await (const images of openBatches(train, { size: imageSize, batch, order })) {
  const result = await program.run({
    ...feeds,
    pixels: images.pixels,
    labels: BigInt64Array.from(images.labels, BigInt),
  });
  const rate = learningRateAt(step, peak, 200, steps);
  optimizer.step(trained, (name) => (result as Record<string, Float32Array>)[`d ${name}`]!, rate);
  average += ((result.loss as Float32Array)[0]! - average) * (step === 0 ? 1 : 0.02);
  step++;
  if (step % 100 === 0) {
    const rateNow = (step * batch * 1000) / (performance.now() - started);
    console.error(`step ${step}/${steps}  loss ${average.toFixed(3)}  ${rateNow.toFixed(0)} images/s`);
  }
}
await program.dispose();

saveEncoder(encoder, values.out);
for (const split of ["test", "heldout"] as const) {
  const { clean, images } = await evaluate(encoder, synthetic({ count: 1000, seed: 1, split }));
  console.error(`${split}: ${(100 * clean).toFixed(1)} % of ${images} images`);
}
