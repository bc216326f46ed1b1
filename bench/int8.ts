/**
 * Compares an inner attack in int8 with the same attack in float32 and with one of fewer steps: mean squared distance of
 * the perturbed images' embeddings from the clean ones, at the encoder's own weights, from the same starts.
 *
 *     npx tsx bench/int8.ts --encoder deit-tiny/model.safetensors --image-size 112 --data tiny-imagenet-50/val
 */
import { availableParallelism } from "node:os";
import { Command } from "commander";
import type { InnerAttackOptions } from "../src/attacks/index.ts";
import { parseCount } from "../src/cli/parsers.ts";
import { type ImageSource, openBatches, openSource } from "../src/data/index.ts";
import { formatEpsilon } from "../src/epsilon.ts";
import { range } from "../src/graph/shapes.ts";
import { type Encoder, loadEncoder } from "../src/models/index.ts";
import { fare } from "../src/objectives/index.ts";
import { TrainingStep } from "../src/training/step/training-step.ts";
import { main } from "./main.ts";
import { digits, markdownTable } from "./markdown.ts";

interface Flags {
  readonly encoder: string;
  readonly data: string;
  readonly imageSize?: number;
  readonly images: number;
  readonly threads: number;
}

const command = new Command("int8")
  .description("how far an attack in int8 gets, beside one in float32")
  .requiredOption("--encoder <weights>", "an encoder")
  .requiredOption("--data <images>", "a folder or shards of images")
  .option("--image-size <n>", "side of the input in pixels (default: the encoder's own)", parseCount)
  .option("--images <n>", "how many, in batches of 16", parseCount, 64)
  .option("--threads <n>", "threads on CPU", parseCount, availableParallelism())
  .action(run);

const batch = 16;
const epsilons = [1 / 255, 2 / 255, 4 / 255];
const attacks = {
  "float32, 10 steps": {},
  "int8, 10 steps": { precision: "int8" },
  "float32, 7 steps": { steps: 7 },
} as const satisfies Readonly<Record<string, Omit<InnerAttackOptions, "epsilon">>>;

async function run({ encoder: path, data, imageSize, images, threads }: Flags): Promise<void> {
  const encoder = await loadEncoder(path, imageSize === undefined ? {} : { imageSize });
  const source = await openSource(data, { seed: 0 });
  const rows: string[][] = [];
  for (const epsilon of epsilons) {
    const distances: number[] = [];
    for (const attack of Object.values(attacks))
      distances.push(await meanDistance(encoder, source, { epsilon, ...attack }, images, threads));
    const [full] = distances;
    rows.push([formatEpsilon(epsilon), digits(full!), ...distances.slice(1).map((x) => (x / full!).toFixed(3))]);
  }
  process.stdout.write(`${markdownTable(["epsilon", ...Object.keys(attacks)], rows)}\n`);
}

async function meanDistance(
  encoder: Encoder,
  source: ImageSource,
  { epsilon, ...attack }: InnerAttackOptions,
  images: number,
  threads: number,
): Promise<number> {
  const options = { microBatch: batch, weightDecay: 0, seed: 0, threads };
  const step = await TrainingStep.create(encoder, fare({ epsilon, attack }), options);
  const order = range(Math.min(images, source.items.length));
  let sum = 0;
  let count = 0;
  for await (const { pixels, ids } of openBatches(source, { framing: encoder.framing, batch, order })) {
    // A learning rate of 0: the weights stay.
    const { advDistance } = await step.run(pixels, [count], () => 0);
    sum += ids.length * advDistance;
    count += ids.length;
  }
  await step.dispose();
  return sum / count;
}

await main(command);
