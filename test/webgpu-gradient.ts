/**
 * Prints the gradient of a small encoder's embedding loss with respect to the image, computed on each device, as
 * `{ "cpu": [...], "webgpu": [...] }`. A script of its own because WebGPU's driver is chosen when a process starts.
 */
import { squaredDistance } from "../src/attacks/index.ts";
import { gradients } from "../src/autodiff/index.ts";
import { Graph } from "../src/graph/index.ts";
import { randomVitParameters, trainableWeights, VitEncoder } from "../src/models/index.ts";
import { randomStream } from "../src/random.ts";
import { compile } from "../src/runtime/index.ts";

const [batch, imageSize] = [2, 16];
const architecture = { patch: 4, width: 24, depth: 2, heads: 3 };
const random = randomStream("webgpu");
const encoder = new VitEncoder({
  name: "tiny",
  architecture,
  imageSize,
  normalization: { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] },
  parameters: randomVitParameters(architecture, imageSize, random.normal),
});

const g = new Graph();
const x = g.input("x", "float32", [batch, 3, imageSize, imageSize]);
const original = g.input("original", "float32", [batch, encoder.embeddingSize]);
const weights = trainableWeights(g, encoder.parameters);
const loss = g.reduceSum(
  squaredDistance(
    encoder.embed(x, (name) => weights.get(name)!),
    original,
  ),
);
const dx = gradients(loss, [x])[0]!;
const feeds = {
  ...Object.fromEntries([...encoder.parameters].map(([name, { data }]) => [name, data])),
  x: Float32Array.from({ length: batch * 3 * imageSize ** 2 }, () => random.uniform()),
  original: Float32Array.from({ length: batch * encoder.embeddingSize }, random.normal),
};

const results: Record<string, readonly number[]> = {};
for (const device of ["cpu", "webgpu"] as const) {
  const program = await compile({ dx }, { device });
  results[device] = [...((await program.run(feeds)).dx as Float32Array)];
  await program.dispose();
}
process.stdout.write(JSON.stringify(results));
