import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { decodeModel, encodeModel, type OnnxModel } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { elementCount, type Tensor } from "../../tensor/tensor.ts";
import { f32, imported, inOnnxRuntime, int, ints, smallModel } from "../../testing/small-model.ts";
import { importModel } from "../import-model.ts";
import { blockSize, plainFilter } from "./filters.ts";
import { plainOrder } from "./plain.ts";

const random = randomStream("blocked");
const drawn = (...shape: number[]): Tensor<"float32"> =>
  f32(
    Array.from({ length: elementCount(shape) }, () => 0.3 * random.normal()),
    shape,
  );

/** A network of what the optimiser knows: channels that fill blocks of 8, but not of 16. */
function network(channels: number): OnnxModel {
  return smallModel({
    inputs: { x: [1, 3, 16, 16] },
    held: {
      ...{
        w1: drawn(channels, 3, 3, 3),
        b1: drawn(channels),
        w2: drawn(channels, 1, 3, 3),
        w3: drawn(40, channels, 1, 1),
      },
      ...{
        b3: drawn(40),
        w4: drawn(32, 40, 3, 3),
        w5: drawn(32, 32, 3, 3),
        w6: drawn(5, 32),
        twice: f32([1, 1, 2, 2]),
      },
    },
    nodes: [
      ["Conv", "x w1 b1", "c1", { pads: ints(1, 1, 1, 1), strides: ints(2, 2) }],
      ["Relu", "c1", "r1"],
      ["Conv", "r1 w2", "c2", { group: int(channels), pads: ints(1, 1, 1, 1) }],
      ["Relu", "c2", "r2"],
      ["Conv", "r2 w3 b3", "c3"],
      ["MaxPool", "c3", "m", { kernel_shape: ints(2, 2), strides: ints(2, 2) }],
      ["Conv", "m w4", "c4", { pads: ints(1, 1, 1, 1) }],
      ["Conv", "c4 w5", "c5", { pads: ints(1, 1, 1, 1) }],
      ["Add", "c4 c5", "s"],
      ["Relu", "s", "t"],
      ["Resize", "t - twice", "u"],
      ["AveragePool", "u", "a", { kernel_shape: ints(2, 2) }],
      ["Sigmoid", "a", "g"],
      ["Mul", "a g", "h"],
      ["GlobalAveragePool", "h", "p"],
      ["Flatten", "p", "f"],
      ["Gemm", "f w6", "y", { transB: int(1) }],
    ],
  });
}

/** The file that ONNX Runtime saves at its highest optimisation level, for this machine's CPU. */
async function optimized(model: OnnxModel): Promise<OnnxModel> {
  const folder = mkdtempSync(join(tmpdir(), "blocked-"));
  try {
    const path = join(folder, "model.onnx");
    const settings = { graphOptimizationLevel: "all", optimizedModelFilePath: path, logSeverityLevel: 4 } as const;
    await (await InferenceSession.create(encodeModel(model).bytes, settings)).release();
    return decodeModel(new Uint8Array(readFileSync(path)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("a file that ONNX Runtime optimised for this processor", () => {
  test.each([24, 40])("computes what it did before, with %i channels", async (channels) => {
    const model = network(channels);
    const file = await optimized(model);
    const x = drawn(1, 3, 16, 16);
    const expected = (await inOnnxRuntime(model, { x })).y!;
    const { y } = await imported(file, { x });
    // The same products, added up in another order.
    for (const [i, value] of expected.entries()) expect(y![i]).toBeCloseTo(value, 4);
    // Whether there are blocks depends on the CPU that saved the file. If there were, they are gone.
    const plain = plainOrder(file);
    const blocked = file.graph.nodes.some(({ domain }) => domain === "com.microsoft.nchwc");
    expect(plain !== undefined).toBe(blocked);
    expect((plain ?? file).graph.nodes.filter(({ domain }) => domain === "com.microsoft.nchwc")).toEqual([]);
    const { weights } = importModel(file);
    expect(weights.size).toBeGreaterThan(4);
  });
});

/** A filter in blocks, built element by element from the definition. */
function inBlocks(filter: Tensor, block: number, inner: number): Tensor {
  const [out, channels, height, width] = filter.shape as [number, number, number, number];
  const data = new Float32Array(filter.data.length);
  let at = 0;
  for (let ob = 0; ob < out / block; ob++)
    for (let ib = 0; ib < channels / inner; ib++)
      for (let k = 0; k < height * width; k++)
        for (let i = 0; i < inner; i++)
          for (let o = 0; o < block; o++)
            data[at++] = Number(filter.data[((ob * block + o) * channels + ib * inner + i) * height * width + k]);
  return { dtype: "float32", shape: filter.shape, data };
}

describe("filters in blocks", () => {
  test.each([
    [8, 8, 1, [24, 16, 3, 2]],
    [16, 16, 1, [32, 48, 1, 3]],
    [8, 1, 1, [16, 3, 3, 3]],
    [16, 1, 32, [32, 1, 2, 2]],
  ] as const)("of %i, channels in blocks of %i", (block, inner, group, shape) => {
    const filter = drawn(...shape);
    expect(plainFilter(inBlocks(filter, block, inner), block, group)).toEqual(filter);
  });

  test("how large blocks are is told where the file shows it", () => {
    expect(blockSize([drawn(32, 3, 3, 3), drawn(24, 32, 1, 1)])).toBe(8);
    expect(blockSize([drawn(64, 3, 3, 3), drawn(32, 64, 1, 1)])).toBeUndefined();
    const filled = drawn(32, 16, 1, 1);
    filled.data.fill(0, 24 * 16);
    expect(blockSize([inBlocks(filled, 16, 16)])).toBe(16);
  });

  test("where it is not, the file is refused, with what to do", () => {
    const model = smallModel({
      inputs: { x: [1, 16, 4, 4] },
      held: { w: drawn(16, 16, 1, 1) },
      nodes: [
        ["ReorderInput", "x", "a", {}, "com.microsoft.nchwc"],
        ["Conv", "a w", "b", {}, "com.microsoft.nchwc"],
        ["ReorderOutput", "b", "y", { channels: int(16) }, "com.microsoft.nchwc"],
      ],
    });
    expect(() => importModel(model)).toThrow(/blocks of 8 or of 16 cannot be told.*extended/);
  });
});
