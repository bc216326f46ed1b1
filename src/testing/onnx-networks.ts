import type { OnnxAttribute, OnnxModel, OnnxNode } from "../onnx/index.ts";
import { randomStream } from "../random.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";

const ints = (...value: readonly number[]): OnnxAttribute => ({ kind: "ints", value });
const int = (value: number): OnnxAttribute => ({ kind: "int", value });

function node(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: OnnxNode["attributes"] = {},
): OnnxNode {
  return { op, domain: "", name: `/${output}`, inputs, outputs: [output], attributes };
}

/**
 * A small residual network as exporters write them: convolutions, batch normalisation, pools, a classifier; symbolic batch.
 * Input `input` [batch, 3, size, size], output `logits` [batch, classes].
 */
export function residualNetwork({ size = 16, classes = 8, opset = 13 } = {}): OnnxModel {
  const random = randomStream("residual network");
  const tensor = (scale: number, shape: readonly number[], around = 0): Tensor<"float32"> => {
    const data = new Float32Array(elementCount(shape)).map(() => around + scale * random.normal());
    return { dtype: "float32", shape, data };
  };
  const norm = (name: string, channels: number): readonly (readonly [string, Tensor])[] => [
    [`${name}.weight`, tensor(0.1, [channels], 1)],
    [`${name}.bias`, tensor(0.1, [channels])],
    [`${name}.running_mean`, tensor(0.1, [channels])],
    [`${name}.running_var`, { dtype: "float32", shape: [channels], data: new Float32Array(channels).fill(0.8) }],
  ];
  const normalized = (name: string, input: string): OnnxNode =>
    node(
      "BatchNormalization",
      [input, ...["weight", "bias", "running_mean", "running_var"].map((part) => `${name}.${part}`)],
      `${name}.y`,
    );
  const shape: Tensor = { dtype: "int64", shape: [1], data: BigInt64Array.of(-1n) };
  return {
    irVersion: 7,
    opsets: new Map([["", opset]]),
    producerName: "tests",
    producerVersion: "1",
    metadata: new Map(),
    graph: {
      name: "residual",
      nodes: [
        node("Conv", ["input", "stem.weight"], "stem", {
          kernel_shape: ints(3, 3),
          pads: ints(1, 1, 1, 1),
          strides: ints(2, 2),
        }),
        normalized("bn1", "stem"),
        node("Relu", ["bn1.y"], "relu1"),
        node("MaxPool", ["relu1"], "pool", { kernel_shape: ints(3, 3), pads: ints(1, 1, 1, 1), strides: ints(2, 2) }),
        node("Conv", ["pool", "block.weight", "block.bias"], "block", {
          kernel_shape: ints(3, 3),
          pads: ints(1, 1, 1, 1),
        }),
        normalized("bn2", "block"),
        node("Add", ["bn2.y", "pool"], "sum"),
        node("Relu", ["sum"], "relu2"),
        node("GlobalAveragePool", ["relu2"], "mean"),
        // The batch's size is read off the input, as exporters do.
        node("Shape", ["mean"], "sizes"),
        node("Gather", ["sizes", "zero"], "n", { axis: int(0) }),
        node("Concat", ["n", "rest"], "flat", { axis: int(0) }),
        node("Reshape", ["mean", "flat"], "features"),
        node("Gemm", ["features", "fc.weight", "fc.bias"], "logits", { transB: int(1) }),
      ],
      inputs: [{ name: "input", dtype: "float32", shape: ["batch", 3, size, size] }],
      outputs: [{ name: "logits", dtype: "float32", shape: ["batch", classes] }],
      initializers: new Map<string, Tensor>([
        ["stem.weight", tensor(0.3, [8, 3, 3, 3])],
        ...norm("bn1", 8),
        ["block.weight", tensor(0.15, [8, 8, 3, 3])],
        ["block.bias", tensor(0.1, [8])],
        ...norm("bn2", 8),
        ["zero", { dtype: "int64", shape: [1], data: BigInt64Array.of(0n) }],
        ["rest", shape],
        ["fc.weight", tensor(0.5, [classes, 8])],
        ["fc.bias", tensor(0.1, [classes])],
      ]),
      valueInfo: [],
    },
  };
}
