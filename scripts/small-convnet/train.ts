/**
 * Trains a small residual ConvNet on CIFAR-10 from random weights with this project's own gradients, and writes it as an ONNX file
 * of pixels in [0, 1] and 10 logits: the third encoder of docs/RESULTS.md.
 *
 * npx tsx scripts/small-convnet/train.ts --data ../shared/data/cifar10-wds/train --out runs/convnet/convnet.onnx
 */
import { parseArgs } from "node:util";
import { crossEntropy } from "../../src/attacks/index.ts";
import { gradients } from "../../src/autodiff/index.ts";
import { openBatches, openSource, shuffled } from "../../src/data/index.ts";
import { writeAtomically } from "../../src/files.ts";
import { toOnnx } from "../../src/graph/export.ts";
import { Graph, type Value } from "../../src/graph/index.ts";
import { feedsOf, frozenWeights, type Parameters, trainableWeights, type Weights } from "../../src/models/encoder.ts";
import { gradientName } from "../../src/objectives/index.ts";
import { encodeModel } from "../../src/onnx/index.ts";
import { randomStream } from "../../src/random.ts";
import { compile } from "../../src/runtime/index.ts";
import { AdamW } from "../../src/training/adamw/adamw.ts";
import { learningRateAt } from "../../src/training/schedule.ts";
import { augment } from "../small-clip/views.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    epochs: { type: "string", default: "8" },
    batch: { type: "string", default: "64" },
    "learning-rate": { type: "string", default: "2e-3" },
    threads: { type: "string", default: "2" },
    out: { type: "string" },
  },
});
const { data, out } = values;
if (data === undefined || out === undefined) throw new Error("--data and --out are needed");
const [epochs, batch] = [Number(values.epochs), Number(values.batch)];
const [imageSize, classes, seed] = [32, 10, 0];

/** A stride of 2 from one stage to the next, each followed by a residual block. */
const widths = [24, 48, 96, 160] as const;

const random = randomStream(seed, "small-convnet");
const parameters = new Map<string, Parameters extends ReadonlyMap<string, infer T> ? T : never>();
function parameter(name: string, shape: readonly number[], deviation: number): void {
  const length = shape.reduce((product, n) => product * n, 1);
  const values = Float32Array.from({ length }, () => (deviation === 0 ? 0 : deviation * random.normal()));
  parameters.set(name, { dtype: "float32", shape, data: values });
}
/** He's initialisation; the second convolution of a block starts at 0, so that blocks begin as identities. */
function convolution(name: string, input: number, output: number, start = 1): void {
  parameter(`${name}.weight`, [output, input, 3, 3], start * Math.sqrt(2 / (9 * input)));
  parameter(`${name}.bias`, [output], 0);
}
convolution("stem", 3, widths[0]);
for (const [stage, width] of widths.slice(1).entries()) {
  convolution(`down${stage}`, widths[stage]!, width);
  convolution(`block${stage}.first`, width, width);
  convolution(`block${stage}.second`, width, width, 0);
}
parameter("head.weight", [classes, widths.at(-1)!], 0.01);
parameter("head.bias", [classes], 0);

/** Logits [N, 10] of pixels [N, 3, 32, 32] in [0, 1]. */
function logits(pixels: Value, weights: Weights): Value {
  const { graph: g } = pixels;
  const conv = (x: Value, name: string, stride = 1): Value =>
    g.conv(x, weights(`${name}.weight`), weights(`${name}.bias`), { strides: [stride, stride], pads: [1, 1, 1, 1] });
  let x = g.relu(conv(g.mul(g.sub(pixels, 0.45), 4), "stem"));
  for (let stage = 0; stage < widths.length - 1; stage++) {
    x = g.relu(conv(x, `down${stage}`, 2));
    const inner = g.relu(conv(x, `block${stage}.first`));
    x = g.relu(g.add(x, conv(inner, `block${stage}.second`)));
  }
  return g.gemm(g.reduceMean(x, { axes: [2, 3] }), weights("head.weight"), weights("head.bias"), { transB: true });
}

function trainingGraph(): Readonly<Record<string, Value>> {
  const g = new Graph();
  const pixels = g.input("pixels", "float32", [batch, 3, imageSize, imageSize]);
  const labels = g.input("labels", "int64", [batch]);
  const weights = trainableWeights(g, parameters);
  const loss = g.reduceMean(
    crossEntropy(
      logits(pixels, (name) => weights.get(name)!),
      labels,
    ),
  );
  const names = [...weights.keys()];
  const derivatives = gradients(loss, [...weights.values()]);
  return { loss, ...Object.fromEntries(derivatives.map((value, i) => [gradientName(names[i]!), value])) };
}

const source = await openSource(data);
const program = await compile(trainingGraph(), { threads: Number(values.threads) });
const optimizer = new AdamW(parameters, { weightDecay: 0.05 });
const perEpoch = Math.floor(source.items.length / batch);
let step = 0;
let average = Number.NaN;
const started = performance.now();
for (let epoch = 0; epoch < epochs; epoch++) {
  const all = source.items.map((_, i) => i);
  const order = shuffled(all, seed, epoch).slice(0, perEpoch * batch);
  const draw = randomStream(seed, "views", epoch);
  for await (const images of openBatches(source, { size: imageSize, batch, order })) {
    const result = await program.run({
      ...feedsOf(parameters),
      pixels: augment(images.pixels, imageSize, 3, draw),
      labels: BigInt64Array.from(images.labels, BigInt),
    });
    const rate = learningRateAt(step++, Number(values["learning-rate"]), perEpoch / 2, epochs * perEpoch);
    optimizer.step(parameters, (name) => (result as Record<string, Float32Array>)[gradientName(name)]!, rate);
    const loss = (result.loss as Float32Array)[0]!;
    average = Number.isNaN(average) ? loss : average + 0.01 * (loss - average);
    if (step % 100 === 0) {
      const seconds = (performance.now() - started) / 1000;
      console.error(`epoch ${(step / perEpoch).toFixed(2)}  loss ${average.toFixed(3)}  ${seconds.toFixed(0)} s`);
    }
  }
}
await program.dispose();

const g = new Graph();
const pixels = g.input("pixels", "float32", [1, 3, imageSize, imageSize]);
const model = toOnnx({ logits: logits(pixels, frozenWeights(g, parameters)) }, { batchAxis: "batch" });
writeAtomically(out, encodeModel(model).bytes);
