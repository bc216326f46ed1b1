/**
 * Measures the accuracy lost to float16 products: an encoder's embeddings, gradients, accuracy under PGD and a short
 * training by LORE, in float16 and in float32. On CPU, operands and results are rounded as on a GPU; sums are not.
 *
 *     npx tsx bench/float16.ts --encoder deit-tiny/model.safetensors --data tiny-imagenet-50
 */
import { join } from "node:path";
import { Command, Option } from "commander";
import { pgd, squaredDistance } from "../src/attacks/index.ts";
import { gradients } from "../src/autodiff/index.ts";
import { parseCount } from "../src/cli/parsers.ts";
import { type ImageSource, openBatches, openSource } from "../src/data/index.ts";
import { UsageError } from "../src/errors.ts";
import { Graph } from "../src/graph/index.ts";
import { range } from "../src/graph/shapes.ts";
import { evaluate } from "../src/measure/accuracy/index.ts";
import { type Encoder, loadEncoder, trainableWeights } from "../src/models/index.ts";
import { lore } from "../src/objectives/index.ts";
import { randomStream } from "../src/random.ts";
import { percent } from "../src/report/table.ts";
import { type CompileOptions, compile, type Device } from "../src/runtime/index.ts";
import { finetune, type StepMetrics } from "../src/training/index.ts";
import { main } from "./main.ts";
import { digits, markdownTable } from "./markdown.ts";

interface Flags {
  readonly encoder: string;
  readonly data: string;
  readonly imageSize: number;
  readonly images: number;
  readonly steps: number;
  readonly device: Device;
  readonly threads: number;
}

const command = new Command("float16")
  .description("float16's loss of accuracy, beside float32")
  .requiredOption("--encoder <weights>", "one with a head for the data's classes")
  .requiredOption("--data <folder>", "holds train/ and val/, classes.json beside them")
  .option("--image-size <n>", "side of the input in pixels", parseCount, 112)
  .option("--images <n>", "validation images for accuracy", parseCount, 200)
  .option("--steps <n>", "training steps of 8 images", parseCount, 20)
  .addOption(new Option("--device <name>", "where to compute").choices(["cpu", "webgpu", "cuda"]).default("cpu"))
  .option("--threads <n>", "threads on CPU", parseCount, 1)
  .action(run);

const batch = 8;

async function run(flags: Flags): Promise<void> {
  const { encoder: weights, data, imageSize, images, steps } = flags;
  const encoder = await loadEncoder(weights, { imageSize });
  const train = await openSource(join(data, "train"), { seed: 0 });
  const val = await openSource(join(data, "val"), { seed: 0 });
  const full = await measured(encoder, train, val, "float32", flags);
  const half = await measured(encoder, train, val, "float16", flags);
  const names = Object.keys(full.tensors) as readonly (keyof typeof full.tensors)[];
  const errors = names.map((name) => [name, relativeError(half.tensors[name], full.tensors[name]).toExponential(1)]);
  const accuracies = ["clean", "PGD-10, 1/255"].map((name, i) => [
    name,
    ...[full, half].map(({ accuracies }) => percent(accuracies[i]!)),
  ]);
  const shown = [1, 5, 10, 15, 20].filter((step) => step < steps).concat(steps);
  const curve = shown.map((step) => [
    `${step}`,
    ...[full, half].flatMap(({ curve }) => [
      digits(curve[step - 1]!.advDistance),
      digits(curve[step - 1]!.cleanDistance ?? Number.NaN),
    ]),
  ]);
  const titles = ["float32", "float16"].flatMap((name) => [`adversarial distance, ${name}`, `clean distance, ${name}`]);
  const tables = [
    markdownTable(["tensor", "relative error"], errors),
    markdownTable([`accuracy, ${images} images`, "float32", "float16"], accuracies),
    markdownTable(["training step", ...titles], curve),
  ];
  process.stdout.write(`${tables.join("\n\n")}\n`);
}

async function measured(
  encoder: Encoder,
  train: ImageSource,
  val: ImageSource,
  precision: "float32" | "float16",
  { device, threads, images, steps }: Flags,
) {
  const options = { precision, device, threads };
  const tensors = await computed(encoder, await firstImages(train, encoder), options);
  const attack = pgd({ epsilon: 1 / 255, steps: 10 });
  const { clean, attacks } = await evaluate(encoder, val, { ...options, attacks: [attack], limit: images });
  const curve: StepMetrics[] = [];
  await finetune(encoder, train, lore({ epsilon: 2 / 255, stepsPerBatch: 1 }), {
    ...options,
    batch,
    limit: steps * batch,
    epochs: 1,
    onStep: (metrics) => curve.push(metrics),
  });
  process.stderr.write(`${precision} is measured.\n`);
  return { tensors, accuracies: [clean, attacks[0]!.accuracy], curve };
}

async function firstImages(source: ImageSource, { framing }: Encoder): Promise<Float32Array> {
  for await (const { pixels } of openBatches(source, { batch, framing, order: range(batch) })) return pixels;
  throw new UsageError("There are no training images.");
}

/** Embeddings of images, and the gradients of their distances to random points of their size. */
async function computed(encoder: Encoder, images: Float32Array, options: CompileOptions) {
  const g = new Graph();
  const x = g.input("x", "float32", [batch, 3, encoder.imageSize, encoder.imageSize]);
  const original = g.input("original", "float32", [batch, encoder.embeddingSize]);
  const weights = trainableWeights(g, encoder.parameters);
  const embedding = encoder.embed(x, (name) => weights.get(name)!);
  const loss = g.reduceMean(squaredDistance(embedding, original));
  const [image, ...others] = gradients(loss, [x, ...weights.values()]);
  const flat = g.concat(
    others.map((gradient) => g.reshape(gradient, [-1])),
    0,
  );
  const outputs = { embeddings: embedding, "image gradient": image!, "sign of the image gradient": g.sign(image!) };
  const program = await compile({ ...outputs, "weight gradients": flat }, options);
  const { normal } = randomStream("float16");
  const points = Float32Array.from({ length: batch * encoder.embeddingSize }, normal);
  const parameters = Object.fromEntries([...encoder.parameters].map(([name, { data }]) => [name, data]));
  const result = await program.runFresh({ ...parameters, x: images, original: points });
  await program.dispose();
  return result as Readonly<Record<keyof typeof result, Float32Array>>;
}

/** ||got - wanted|| / ||wanted|| */
function relativeError(got: Float32Array, wanted: Float32Array): number {
  let [error, size] = [0, 0];
  for (const [i, value] of wanted.entries()) {
    error += (got[i]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(error / size);
}

await main(command);
