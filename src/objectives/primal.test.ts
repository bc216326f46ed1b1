import { expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { type Encoder, frozenWeights } from "../models/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { randomImages, tinyEncoder } from "../testing/tiny.ts";
import { gradientName, primalGraph } from "./primal.ts";

const batch = 3;
const length = 3 * 8 * 8;
const encoder = tinyEncoder({ depth: 2 });
const size = encoder.embeddingSize;
const clean = randomImages(batch, { seed: 1 });
const adversarial = randomImages(batch, { seed: 2 });
const random = randomStream("primal");
const original = new Float32Array(batch * size).map(() => random.normal());
const share = Float32Array.of(0.5, 0.3, 0.2);
const lambda = Float32Array.of(0.7, 0, 2);
const threshold = Float32Array.of(0.1, 5, 50);
const feeds: Readonly<Record<string, Float32Array>> = {
  clean,
  adversarial,
  original,
  share,
  lambda,
  threshold,
  ...weightsOf(encoder),
};

function weightsOf({ parameters }: Encoder): Record<string, Float32Array> {
  return Object.fromEntries([...parameters].map(([name, { data }]) => [name, data]));
}

async function embed(pixels: Float32Array): Promise<Float32Array> {
  const g = new Graph();
  const x = g.input("x", "float32", [batch, 3, 8, 8]);
  const program = await compile({ embedding: encoder.embed(x, frozenWeights(g, encoder.parameters)) }, { threads: 1 });
  const { embedding } = await program.run({ x: pixels });
  const result = (embedding as Float32Array).slice();
  await program.dispose();
  return result;
}

/** In float64, from the embeddings. */
function distances(embedding: Float32Array): readonly number[] {
  return Array.from({ length: batch }, (_, i) => {
    let sum = 0;
    for (let d = i * size; d < (i + 1) * size; d++) sum += (embedding[d]! - original[d]!) ** 2;
    return sum;
  });
}

async function run(constrained: boolean, changed: typeof feeds = {}) {
  const program = await compile(primalGraph(encoder, batch, constrained), { threads: 1 });
  const result = await program.run({ ...feeds, ...changed });
  const copy = Object.fromEntries(Object.entries(result).map(([name, data]) => [name, [...(data as Float32Array)]]));
  await program.dispose();
  return copy;
}

/** float32 sums of 16 squares of order 1, on embeddings that agree to the last bits. */
function expectClose(got: readonly number[], wanted: readonly number[]): void {
  expect(got).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries()) expect(got[i]! / value).toBeCloseTo(1, 5);
}

test("with a constraint: paper equation 7, evaluated by hand", async () => {
  const [adv, own] = [distances(await embed(adversarial)), distances(await embed(clean))];
  const result = await run(true);
  expectClose(result.advDistance!, adv);
  expectClose(result.cleanDistance!, own);
  const loss = adv.reduce((sum, d, i) => sum + share[i]! * (d + lambda[i]! * (own[i]! - threshold[i]!)), 0);
  expectClose(result.loss!, [loss]);
});

test("without a constraint: the adversarial distance alone, and no clean image", async () => {
  const adv = distances(await embed(adversarial));
  const result = await run(false);
  expectClose(result.advDistance!, adv);
  expectClose(result.loss!, [adv.reduce((sum, d, i) => sum + share[i]! * d, 0)]);
  expect(result.cleanDistance).toBeUndefined();
});

test("lambda = 0 is the unconstrained loss and gradient", async () => {
  const [free, constrained] = [await run(false), await run(true, { lambda: new Float32Array(batch) })];
  expectClose(constrained.loss!, free.loss!);
  for (const name of encoder.parameters.keys()) {
    const [a, b] = [constrained[gradientName(name)]!, free[gradientName(name)]!];
    const scale = Math.hypot(...b);
    expect(Math.hypot(...a.map((x, i) => x - b[i]!)) / scale, name).toBeLessThan(1e-5);
  }
});

test("every parameter has a gradient that is not zero, and it is the loss's slope", async () => {
  const result = await run(true);
  for (const [name, { data, shape }] of encoder.parameters) {
    const gradient = result[gradientName(name)]!;
    expect(gradient, name).toHaveLength(data.length);
    const norm = Math.hypot(...gradient);
    expect(norm, `${name} [${shape}]`).toBeGreaterThan(1e-4);
  }
  // Along the gradient of one tensor the loss must change by its norm.
  const name = "blocks.1.mlp.fc1.weight";
  const gradient = result[gradientName(name)]!;
  const norm = Math.hypot(...gradient);
  const h = 1e-2;
  const moved = async (sign: number) => {
    const data = encoder.parameters.get(name)!.data.map((x, i) => x + (sign * h * gradient[i]!) / norm);
    return (await run(true, { [name]: data })).loss![0]!;
  };
  // float32 losses of order 50 differ by 2 h norm: rounding leaves 1e-3 of it, curvature h squared.
  expect(((await moved(1)) - (await moved(-1))) / (2 * h * norm)).toBeCloseTo(1, 1);
});

test("padding with share 0 changes nothing, whatever it shows", async () => {
  const padded = { share: Float32Array.of(0.6, 0.4, 0) };
  const other = {
    clean: clean.slice(),
    adversarial: adversarial.slice(),
    original: original.slice(),
    lambda: lambda.slice(),
  };
  other.clean.fill(0, 2 * length);
  other.adversarial.fill(1, 2 * length);
  other.original.fill(9, 2 * size);
  other.lambda[2] = 100;
  for (const constrained of [true, false]) {
    const [one, two] = [await run(constrained, padded), await run(constrained, { ...padded, ...other })];
    expect(two.loss).toEqual(one.loss);
    for (const name of encoder.parameters.keys()) {
      const [a, b] = [two[gradientName(name)]!, one[gradientName(name)]!];
      for (const [i, x] of a.entries()) expect(x, name).toBeCloseTo(b[i]!, 4);
    }
  }
});
