/**
 * Trains a small CLIP (two towers in CLIP's architecture, real byte-pair tokens) from random weights with this
 * project's own gradients, and saves it as a folder in transformers' layout. README.md beside this file has the two
 * commands that made the encoders in `assets/`, and how long they took.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type ImageSource, openBatches, openSource, shuffled } from "../../src/data/index.ts";
import { readBytes, writeAtomically } from "../../src/files.ts";
import { VitEncoder, vitShapes } from "../../src/models/architectures/vit.ts";
import type { Parameters } from "../../src/models/encoder.ts";
import { feedsOf } from "../../src/models/encoder.ts";
import { readMerges } from "../../src/models/text/bpe-vocabulary.ts";
import { ClipText, clipTextShapes } from "../../src/models/text/clip-text.ts";
import { clipTokenizer } from "../../src/models/text/tokenizer.ts";
import { gradientName } from "../../src/objectives/index.ts";
import { randomStream, shuffle } from "../../src/random.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/safetensors.ts";
import { AdamW } from "../../src/training/adamw/adamw.ts";
import { joinStates, stateOf } from "../../src/training/parameters.ts";
import { learningRateAt } from "../../src/training/schedule.ts";
import { saveAsset } from "./asset.ts";
import { captionsOf, matchCaptions } from "./captions.ts";
import { compileContrastive, type Towers, textPrefix, visionPrefix } from "./contrastive.ts";
import { gridPositions, startingParameters } from "./init.ts";
import { augment, keepPatches, recolour } from "./views.ts";
import { whiteningProjection } from "./whitening.ts";

const { values } = parseArgs({
  options: {
    name: { type: "string" },
    data: { type: "string", multiple: true, default: [] },
    "colourless-data": { type: "string", multiple: true, default: [] },
    vocabulary: { type: "string" },
    merges: { type: "string", default: "4096" },
    patch: { type: "string", default: "4" },
    width: { type: "string", default: "128" },
    depth: { type: "string", default: "6" },
    "text-depth": { type: "string", default: "3" },
    epochs: { type: "string", default: "16" },
    "full-epochs": { type: "string", default: "2" },
    attention: { type: "string", default: "mimetic" },
    template: { type: "string", default: "class" },
    warmup: { type: "string", default: "150" },
    kept: { type: "string", default: "36" },
    shift: { type: "string", default: "4" },
    batch: { type: "string", default: "128" },
    "learning-rate": { type: "string", default: "1.5e-3" },
    weights: { type: "string" },
    threads: { type: "string", default: "2" },
    out: { type: "string" },
  },
});
const required = (name: "name" | "vocabulary" | "out"): string => {
  const value = values[name];
  if (value === undefined) throw new Error(`--${name} is missing`);
  return value;
};
function oneOf<const Choice extends string>(choices: readonly Choice[], name: "attention" | "template"): Choice {
  const choice = choices.find((one) => one === values[name]);
  if (choice === undefined) throw new Error(`--${name} is ${choices.join(" or ")}`);
  return choice;
}
const out = required("out");
const [epochs, fullEpochs, batch] = [values.epochs, values["full-epochs"], values.batch].map(Number) as [
  number,
  number,
  number,
];
const [patch, width, kept, shift] = [values.patch, values.width, values.kept, values.shift].map(Number) as [
  number,
  number,
  number,
  number,
];
const imageSize = 32;
const seed = 0;
const grid = imageSize / patch;

const labellings = [
  ...(await Promise.all(values.data.map(async (data) => ({ source: await openSource(data), colourless: false })))),
  ...(await Promise.all(
    values["colourless-data"].map(async (data) => ({ source: await openSource(data), colourless: true })),
  )),
];
const source = labellings[0]?.source;
if (!source) throw new Error("--data is missing");
const captions = captionsOf(labellings, batch, oneOf(["class", "batch"], "template"));
const stepsPerEpoch = Math.floor(source.items.length / batch);
const tokenizer = clipTokenizer(readMerges(readFileSync(required("vocabulary"))).slice(0, Number(values.merges)));
const shared = { activation: "quickGelu", normEpsilon: 1e-5, layerScale: false } as const;
const vision = {
  ...shared,
  patch,
  width,
  depth: Number(values.depth),
  heads: width / 64,
  patchBias: false,
  preNorm: true,
  projection: 128,
};
const text = {
  ...shared,
  width: 128,
  depth: Number(values["text-depth"]),
  heads: 2,
  hidden: 512,
  vocabularySize: tokenizer.vocabularySize,
  contextLength: 77,
  embeddingSize: 128,
};
const normalization = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;

const random = randomStream(seed, "small-clip");
const attention = oneOf(["mimetic", "even"], "attention");
const visionStart = new Map([
  ...startingParameters(vitShapes(vision, imageSize), attention, random),
  ["pos_embed", gridPositions(grid, width, 0.5)] as const,
]);
if (attention === "mimetic") {
  const projection = whiteningProjection(await someImages(source), imageSize, patch, width, random);
  visionStart.set("patch_embed.proj.weight", projection);
}
const parameters: Parameters = new Map([
  ...prefixed(visionPrefix, visionStart),
  ...prefixed(textPrefix, startingParameters(clipTextShapes(text), attention, random)),
  ["logit_scale", { dtype: "float32", shape: [1], data: Float32Array.of(Math.log(20)) }],
]);
const count = [...parameters.values()].reduce((sum, { data }) => sum + data.length, 0);
console.error(
  `${(count / 1e6).toFixed(2)} million parameters, of which ${(visionSize() / 1e6).toFixed(2)} million in the image tower`,
);

const optimizer = new AdamW(parameters, { weightDecay: 0.05, beta2: 0.98 });
const statePath = join(out, "..", `${required("name")}.state.safetensors`);
let startEpoch = 0;
function takeWeights(path: string): ReturnType<typeof decodeSafetensors>["tensors"] {
  const { tensors } = decodeSafetensors(readBytes(path));
  const theta = stateOf(tensors, "theta");
  for (const [name, { data }] of parameters) data.set(theta.get(name)!.data as Float32Array);
  return tensors;
}
if (values.weights !== undefined) takeWeights(values.weights);
if (existsSync(statePath)) {
  const tensors = takeWeights(statePath);
  const adam = stateOf(tensors, "adam");
  optimizer.restore(adam);
  startEpoch = Number(adam.get("steps")!.data[0]) / stepsPerEpoch;
  console.error(`Going on after ${startEpoch} epochs.`);
}

const towers = (side: number): Towers => ({
  vision: new VitEncoder({
    name: required("name"),
    architecture: vision,
    imageSize: side * patch,
    normalization,
    parameters: unprefixed(visionPrefix),
    layout: "transformers-clip",
  }),
  text,
  end: tokenizer.end,
});
const options = {
  batch,
  texts: captions.perBatch,
  length: captions.longest(tokenizer),
  grid,
  threads: Number(values.threads),
};
const started = performance.now();
let program: Awaited<ReturnType<typeof compileContrastive>> | undefined;
let side = 0;
let average = { loss: 0, accuracy: 0 };
for (let epoch = startEpoch; epoch < epochs; epoch++) {
  const wanted = epoch < epochs - fullEpochs ? Math.sqrt(kept) : grid;
  if (wanted !== side) {
    await program?.dispose();
    program = await compileContrastive(towers(wanted), parameters, options);
    side = wanted;
  }
  const order = shuffled(
    source.items.map((_, i) => i),
    seed,
    epoch,
  ).slice(0, stepsPerEpoch * batch);
  const draw = randomStream(seed, "views", epoch);
  let step = epoch * stepsPerEpoch;
  for await (const images of openBatches(source, { size: imageSize, batch, order })) {
    const all = Array.from({ length: grid * grid }, (_, i) => i);
    const patches = side === grid ? all : shuffle(all, draw).slice(0, side * side);
    const texts = captions.draw(images, draw);
    const coloured = texts.colourless ? recolour(images.pixels, imageSize, draw) : images.pixels;
    const pixels = keepPatches(augment(coloured, imageSize, shift, draw), imageSize, patch, patches);

    const result = await program!.run({
      ...feedsOf(parameters),
      pixels,
      places: BigInt64Array.from([0, ...patches.map((i) => i + 1)], BigInt),
      ...matchCaptions(texts, tokenizer, options),
    });
    const rate = learningRateAt(step, Number(values["learning-rate"]), Number(values.warmup), epochs * stepsPerEpoch);
    const gradient = (name: string): Float32Array => (result as Record<string, Float32Array>)[gradientName(name)]!;
    await optimizer.step(parameters, gradient, rate, clip([...parameters.keys()].map(gradient), 1));
    const scale = parameters.get("logit_scale")!.data;
    scale[0] = Math.min(scale[0]!, Math.log(100));
    const [loss, accuracy] = [result.loss, result.accuracy].map((x) => (x as Float32Array)[0]!) as [number, number];
    const share = step % 50 === 0 ? 1 : 1 / ((step % 50) + 1);
    average = {
      loss: average.loss + share * (loss - average.loss),
      accuracy: average.accuracy + share * (accuracy - average.accuracy),
    };
    step++;
    if (step % 50 === 0) {
      const seconds = (performance.now() - started) / 1000;
      console.error(
        `epoch ${(step / stepsPerEpoch).toFixed(2)}  loss ${average.loss.toFixed(3)}  right ${(100 * average.accuracy).toFixed(1)} %  scale ${Math.exp(scale[0]!).toFixed(1)}  ${seconds.toFixed(0)} s  ${(((step - startEpoch * stepsPerEpoch) * batch) / seconds).toFixed(0)} images/s`,
      );
    }
  }
  writeAtomically(statePath, encodeSafetensors(joinStates({ theta: parameters, adam: optimizer.state() })));
}
await program?.dispose();

const encoder = towers(grid).vision;
saveAsset(
  new VitEncoder({
    ...encoder,
    text: new ClipText({
      architecture: text,
      parameters: unprefixed(textPrefix),
      tokenizer,
      logitScale: Math.exp(parameters.get("logit_scale")!.data[0]!),
    }),
  }),
  out,
);

/** Normalised images for the statistics of patches. */
async function someImages(source: ImageSource): Promise<Float32Array> {
  const order = shuffled(
    source.items.map((_, i) => i),
    seed,
    -1,
  ).slice(0, 1000);
  for await (const { pixels } of openBatches(source, { size: imageSize, batch: order.length, order })) {
    return pixels.map((x, i) => {
      const channel = Math.floor(i / imageSize ** 2) % 3;
      return (x - normalization.mean[channel]!) / normalization.std[channel]!;
    });
  }
  throw new Error(`${source.name} holds no images.`);
}

function prefixed(prefix: string, tensors: Parameters): Parameters {
  return new Map([...tensors].map(([name, tensor]) => [prefix + name, tensor]));
}

function unprefixed(prefix: string): Parameters {
  return new Map(
    [...parameters]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, tensor]) => [name.slice(prefix.length), tensor]),
  );
}

function visionSize(): number {
  return [...unprefixed(visionPrefix).values()].reduce((sum, { data }) => sum + data.length, 0);
}

/** The factor that brings the gradients' common norm down to `limit`. */
function clip(gradients: readonly Float32Array[], limit: number): number {
  let squared = 0;
  for (const gradient of gradients) for (const x of gradient) squared += x * x;
  return Math.min(1, limit / Math.sqrt(squared));
}
