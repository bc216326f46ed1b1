import { describe, expect, test } from "vitest";
import { ascentGraph, lossGraph } from "../../attacks/index.ts";
import { UsageError } from "../../errors.ts";
import { productFlops } from "../../graph/flops.ts";
import { Graph, type Value } from "../../graph/index.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import { randomImages, randomTensor, tinyEncoder } from "../../testing/tiny.ts";
import { type Encoder, frozenWeights } from "../encoder.ts";
import { bicubicTaps } from "./bicubic.ts";
import { ConvNextEncoder, convNextShapes } from "./convnext.ts";
import { lowResolution } from "./low-resolution.ts";
import { resizing } from "./resized.ts";
import { VitEncoder } from "./vit.ts";

const count = 2;
const vit = tinyEncoder({ imageSize: 28, depth: 2 });
const architecture = { depths: [1, 1], widths: [4, 8], projection: 5, normEpsilon: 1e-6 };
const random = randomStream("low-resolution");
const convNext = new ConvNextEncoder({
  name: "tiny",
  architecture,
  imageSize: 32,
  normalization: vit.normalization,
  parameters: new Map(
    [...convNextShapes(architecture)].map(([name, shape]) => [name, randomTensor(random, name, shape)]),
  ),
  layout: "open-clip",
});

/** Bicubic interpolation of images [count, 3, from, from], in float64. */
function resized(pixels: Float32Array, from: number, to: number): Float32Array {
  const taps = bicubicTaps(from, to);
  const out = new Float32Array(count * 3 * to * to);
  for (let plane = 0; plane < count * 3; plane++)
    taps.forEach((rows, y) => {
      taps.forEach((columns, x) => {
        let sum = 0;
        for (const r of rows)
          for (const c of columns) sum += r.weight * c.weight * pixels[(plane * from + r.index) * from + c.index]!;
        out[(plane * to + y) * to + x] = sum;
      });
    });
  return out;
}

async function embedded(encoder: Encoder, size: number, embed: Encoder["embed"], pixels: Float32Array) {
  const g = new Graph();
  const input = g.input("pixels", "float32", [count, 3, size, size]);
  const program = await compile({ embedding: embed(input, frozenWeights(g, encoder.parameters)) }, { threads: 1 });
  const result = ((await program.run({ pixels })).embedding as Float32Array).slice();
  await program.dispose();
  return result;
}

describe("an encoder at low resolution", () => {
  test.each([
    // Half of 28 is 3.5 patches of 4 pixels.
    ["a vision transformer", vit, 16, (size: number) => new VitEncoder({ ...vit, imageSize: size })],
    ["a ConvNeXt", convNext, 16, (size: number) => new ConvNextEncoder({ ...convNext, imageSize: size })],
  ] as const)("%s gives what one of the smaller size makes of the resized images", async (_, encoder, size, at) => {
    const pixels = randomImages(count, { size: encoder.imageSize });
    const small = at(size);
    const embed: Encoder["embed"] = (input, weights) => small.embed(input, weights);
    const wanted = await embedded(small, size, embed, resized(pixels, encoder.imageSize, size));
    const got = await embedded(encoder, encoder.imageSize, lowResolution(encoder), pixels);
    // Weights of size 0.25 keep embeddings near 1; float32 through a few dozen operations.
    for (const [i, x] of got.entries()) expect(x).toBeCloseTo(wanted[i]!, 4);
  });

  test("the gradient of the pixels at full size, by differences", async () => {
    const encoder = vit;
    const weights = (pixels: Value) => frozenWeights(pixels.graph, encoder.parameters);
    const target = (pixels: Value) => {
      const { graph: g } = pixels;
      const embedding = lowResolution(encoder)(pixels, weights(pixels));
      return { loss: g.reduceSum(g.mul(embedding, embedding), { axes: [1] }) };
    };
    const program = await compile(lossGraph({ batch: count, imageSize: 28, gradient: true }, target), { threads: 1 });
    const pixels = randomImages(count, { size: 28, low: 0.2, high: 0.8 });
    const gradient = ((await program.run({ pixels })).gradient as Float32Array).slice();
    const lossAt = async (direction: Float32Array, h: number): Promise<number> => {
      const moved = pixels.map((x, i) => x + h * direction[i]!);
      return ((await program.run({ pixels: moved })).loss as Float32Array).reduce((a, b) => a + b, 0);
    };
    const steepest = gradient.map(Math.sign);
    const others = Array.from({ length: 3 }, () => gradient.map(() => random.normal()));
    for (const direction of [steepest, ...others]) {
      const h = 2 ** -10;
      const near = (await lossAt(direction, h)) - (await lossAt(direction, -h));
      const far = (await lossAt(direction, 2 * h)) - (await lossAt(direction, -2 * h));
      const slope = gradient.reduce((sum, x, i) => sum + x * direction[i]!, 0);
      const scale = Math.hypot(...gradient) * Math.hypot(...direction);
      // A loss of some tens rounds to 1e-6 in float32, which the step of 1e-3 makes 1e-3.
      expect(Math.abs((8 * near - far) / (12 * h) - slope) / scale).toBeLessThan(2e-3);
    }
    await program.dispose();
  });

  test("costs less than half of the operations", () => {
    const spec = { batch: 1, imageSize: 28, norm: "linf", momentum: false } as const;
    const work = (embed: Encoder["embed"]): number => {
      const graph = ascentGraph(spec, (pixels) => ({
        loss: pixels.graph.reduceSum(embed(pixels, frozenWeights(pixels.graph, vit.parameters)), { axes: [1] }),
      }));
      return productFlops([graph.next!]);
    };
    const full = work((pixels, weights) => vit.embed(pixels, weights));
    // 17 tokens of 50; resizing is much beside a width of 16.
    expect(work(lowResolution(vit)) / full).toBeLessThan(0.5);
  });

  test("is refused where there is none", () => {
    const one = tinyEncoder({ imageSize: 4 });
    expect(() => lowResolution(one)).toThrow(UsageError);
    expect(() => lowResolution(one)).toThrow(/tiny at 4 pixels has no lower resolution.*stride 4/);
    expect(() => lowResolution(resizing(vit, 32))).toThrow(UsageError);
    expect(() => lowResolution(resizing(vit, 32))).toThrow(/tiny takes images of one size only/);
  });
});
