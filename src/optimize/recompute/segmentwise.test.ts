import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { gradients } from "../../autodiff/index.ts";
import { toOnnx } from "../../graph/export.ts";
import { Graph, type Value } from "../../graph/index.ts";
import { reachable } from "../../graph/reachable.ts";
import { ConvNextEncoder, convNextShapes } from "../../models/architectures/convnext.ts";
import { type Encoder, type Parameters, trainableWeights } from "../../models/encoder.ts";
import { gradientName, primalGraph } from "../../objectives/primal.ts";
import { encodeModel } from "../../onnx/encode.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import type { Port } from "../../runtime/program.ts";
import { elementCount, type TypedArray } from "../../tensor/tensor.ts";
import { randomTensor, tinyEncoder } from "../../testing/tiny.ts";
import { peakBytes } from "../liveness.ts";
import { fileOrder } from "../order.ts";
import { recomputed } from "./segmentwise.ts";

function tinyConvNext(): Encoder {
  const architecture = { depths: [3, 3], widths: [8, 16], projection: 8, normEpsilon: 1e-6 };
  const random = randomStream("convnext");
  const parameters: Parameters = new Map(
    [...convNextShapes(architecture)].map(([name, shape]) => [name, randomTensor(random, name, shape)]),
  );
  const normalization = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
  return new ConvNextEncoder({ name: "tiny", architecture, imageSize: 16, normalization, parameters, layout: "timm" });
}

const encoders = [
  ["ViT", tinyEncoder({ depth: 5 })],
  ["ConvNeXt", tinyConvNext()],
] as const;
const batch = 2;

/** Random values for a program's inputs, and the weights. */
function feedsFor(
  encoder: Encoder,
  ports: readonly Pick<Port, "name" | "shape">[],
): Readonly<Record<string, Float32Array>> {
  const random = randomStream("feeds");
  return Object.fromEntries(
    ports.map(({ name, shape }) => {
      const weight = encoder.parameters.get(name)?.data as Float32Array | undefined;
      return [name, weight ?? new Float32Array(elementCount(shape)).map(() => random.uniform(0, 1))];
    }),
  );
}

async function run(encoder: Encoder, outputs: Readonly<Record<string, Value>>): Promise<Results> {
  const program = await compile(outputs, { threads: 1 });
  const results = await program.run(feedsFor(encoder, program.inputs));
  await program.dispose();
  return results;
}

/** Without the passes that `compile` makes over a graph. */
async function runAsItIs(encoder: Encoder, outputs: Readonly<Record<string, Value>>): Promise<Results> {
  const model = toOnnx(outputs, { order: fileOrder });
  const session = await InferenceSession.create(encodeModel(model).bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const ports = model.graph.inputs as readonly Port[];
  const shapes = new Map(ports.map(({ name, shape }) => [name, shape]));
  const tensors = Object.entries(feedsFor(encoder, ports)).map(
    ([name, data]) => [name, new Tensor("float32", data, shapes.get(name)!)] as const,
  );
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]));
}

/**
 * Equal up to rounding: graph passes write the two down differently. Within 1e-4 of a tensor's largest element, as float32
 * over a few layers; gradients that are zero but for rounding (of keys' biases) within 1e-6 of the largest of all.
 */
function expectClose(got: Results, wanted: Results): void {
  const size = (array: TypedArray): number => (array as Float32Array).reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  const max = Math.max(...Object.values(wanted).map(size));
  for (const [name, array] of Object.entries(wanted)) {
    const apart = size((got[name] as Float32Array).map((x, i) => x - Number(array[i])));
    expect(apart, name).toBeLessThan(1e-4 * size(array) + 1e-6 * max);
  }
}

type Results = Readonly<Record<string, TypedArray>>;

describe.each(encoders)("a %s's backward pass that computes the forward pass again", (_, encoder) => {
  const primal = primalGraph(encoder, batch, true);
  const again = recomputed(primal, primal.loss!);

  test("gives the same loss and gradients", async () => {
    expect(Object.keys(again)).toEqual(Object.keys(primal));
    const [wanted, got] = [await run(encoder, primal), await run(encoder, again)];
    expect((wanted.loss as Float32Array)[0]).toBeGreaterThan(0);
    expectClose(got, wanted);
  });

  test("gives them to the last bit where graph passes do not write the two down differently", async () => {
    const [wanted, got] = [await runAsItIs(encoder, primal), await runAsItIs(encoder, again)];
    for (const name of Object.keys(primal)) expect(got[name], name).toEqual(wanted[name]);
  });

  test("needs less memory for more nodes, and reads no activation of the forward pass but the few between segments", () => {
    expect(peakBytes(Object.values(again), true)).toBeLessThan(0.7 * peakBytes(Object.values(primal), true));
    const count = (outputs: Readonly<Record<string, Value>>): number => reachable(Object.values(outputs)).nodes.length;
    expect(count(again)).toBeGreaterThan(count(primal));
  });

  test("is the same for the gradient of the image", async () => {
    const g = new Graph();
    const pixels = g.input("pixels", "float32", [batch, 3, encoder.imageSize, encoder.imageSize]);
    const weights = trainableWeights(g, encoder.parameters);
    const embedding = encoder.embed(pixels, (name) => weights.get(name)!);
    const loss = g.reduceSum(g.mul(embedding, embedding));
    const outputs = { gradient: gradients(loss, [pixels])[0] };
    const lean = recomputed(outputs, loss);
    expect(peakBytes(Object.values(lean), true)).toBeLessThan(0.8 * peakBytes(Object.values(outputs), true));
    expectClose(await run(encoder, lean), await run(encoder, outputs));
    expect(await runAsItIs(encoder, lean)).toEqual(await runAsItIs(encoder, outputs));
  });
});

/** sum of tanh layers, deep enough to be cut, wide enough inside to be worth it. */
function deep(depth: number) {
  const g = new Graph();
  const x = g.input("x", "float32", [2, 4]);
  let y = x;
  for (let i = 0; i < depth; i++) {
    const wide = g.exp(g.mul(g.concat(Array<Value>(6).fill(y), 1), 0.1 * (i + 1)));
    y = g.sub(y, g.reduceMean(g.reshape(g.log(wide), [2, 6, 4]), { axes: [1] }));
  }
  const loss = g.reduceSum(y);
  return { loss, outputs: { dx: gradients(loss, [x])[0], y } };
}

test.each([0, -0, Number.POSITIVE_INFINITY, Number.NaN])("passes %s on as it is", async (value) => {
  const { loss, outputs } = deep(8);
  const again = recomputed(outputs, loss);
  expect(again.dx).not.toBe(outputs.dx);
  const x = Float32Array.of(1, 2, value, 3, 0.5, -1, -2, 4);
  const results = [];
  for (const graph of [outputs, again]) {
    const program = await compile(graph, { threads: 1 });
    results.push({ ...(await program.run({ x })) });
  }
  expect(results[1]).toEqual(results[0]);
  // The second row knows nothing of the first.
  expect([...(results[1]!.dx as Float32Array)].slice(4).every(Number.isFinite)).toBe(true);
});

test("a graph in which nothing can be saved stays as it is", () => {
  const { loss, outputs } = deep(1);
  const again = recomputed(outputs, loss);
  expect(again.dx).toBe(outputs.dx);
});

test("gradients keep their names", () => {
  const encoder = tinyEncoder({ depth: 2 });
  const primal = primalGraph(encoder, batch, false);
  expect(recomputed(primal, primal.loss!)).toHaveProperty([gradientName("cls_token")]);
});
