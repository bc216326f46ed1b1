import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { importModel } from "../importing/import-model.ts";
import {
  encodeModel,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type ValueInfo,
} from "../onnx/index.ts";
import { compile } from "../runtime/index.ts";
import type { DType, Tensor, TypedArray } from "../tensor/tensor.ts";

/** A node in few words: `["Conv", "x w", "y", { group: int(2) }]`; `-` is an input or output left out. */
export type SmallNode = readonly [
  op: string,
  inputs: string,
  outputs: string,
  attributes?: OnnxNode["attributes"],
  domain?: string,
];

/** An input or output: its shape (a string is a symbolic size), of float32 unless said. */
export type SmallInfo = readonly (number | string)[] | { readonly dtype: DType; readonly shape: ValueInfo["shape"] };

interface SmallModel {
  readonly opset?: number;
  readonly nodes: readonly SmallNode[];
  readonly inputs: Readonly<Record<string, SmallInfo>>;
  /** Default: `y` of float32, its shape not stated. */
  readonly outputs?: readonly (string | ValueInfo)[];
  readonly held?: Readonly<Record<string, Tensor>>;
}

const names = (text: string): readonly string[] =>
  text === "" ? [] : text.split(" ").map((name) => (name === "-" ? "" : name));

const infoOf = (name: string, info: SmallInfo): ValueInfo =>
  "dtype" in info ? { name, ...info } : { name, dtype: "float32", shape: info };

export function smallGraph({ nodes, inputs, outputs = ["y"], held = {} }: Omit<SmallModel, "opset">): OnnxGraph {
  return {
    name: "graph",
    nodes: nodes.map(([op, given, made, attributes = {}, domain = ""]) => ({
      ...{ op, domain, name: "", attributes, inputs: names(given), outputs: names(made) },
    })),
    inputs: Object.entries(inputs).map(([name, info]) => infoOf(name, info)),
    outputs: outputs.map((output) =>
      typeof output === "string" ? { name: output, dtype: "float32", shape: [], unranked: true } : output,
    ),
    initializers: new Map(Object.entries(held)),
  };
}

export function smallModel({ opset = 17, ...graph }: SmallModel): OnnxModel {
  return {
    irVersion: 8,
    opsets: new Map([
      ["", opset],
      ["com.microsoft", 1],
    ]),
    ...{ producerName: "", producerVersion: "", metadata: new Map(), graph: smallGraph(graph) },
  };
}

export const int = (value: number): OnnxAttribute => ({ kind: "int", value });
export const ints = (...value: readonly number[]): OnnxAttribute => ({ kind: "ints", value });
export const word = (value: string): OnnxAttribute => ({ kind: "string", value });
export const subgraph = (graph: Omit<SmallModel, "opset">): OnnxAttribute => ({
  ...{ kind: "graph", value: smallGraph(graph) },
});

/** A tensor in few words; without a shape a scalar, or a list. */
function tensor<D extends DType>(dtype: D, make: (values: readonly number[]) => TypedArray) {
  return (values: number | readonly number[], shape?: readonly number[]): Tensor<D> => {
    const list = [values].flat();
    return { dtype, shape: shape ?? (typeof values === "number" ? [] : [list.length]), data: make(list) } as Tensor<D>;
  };
}

export const f32 = tensor("float32", (values) => Float32Array.from(values));
export const u8 = tensor("uint8", (values) => Uint8Array.from(values));
export const i8 = tensor("int8", (values) => Int8Array.from(values));
export const i32 = tensor("int32", (values) => Int32Array.from(values));
export const i64 = tensor("int64", (values) => BigInt64Array.from(values, BigInt));
export const bool = tensor("bool", (values) => Uint8Array.from(values));

export type Feeds = Readonly<Record<string, Tensor>>;

/** Outputs of a model by ONNX Runtime's own kernels, without its graph optimisations. */
export async function inOnnxRuntime(
  model: OnnxModel,
  feeds: Feeds,
): Promise<Readonly<Record<string, readonly number[]>>> {
  const session = await InferenceSession.create(encodeModel(model).bytes, {
    ...{ intraOpNumThreads: 1, graphOptimizationLevel: "disabled", logSeverityLevel: 4 },
  });
  try {
    const tensors = Object.entries(feeds).map(([name, { dtype, shape, data }]) => [
      name,
      new OrtTensor(dtype as "float32", data as Float32Array, [...shape]),
    ]);
    const results = await session.run(Object.fromEntries(tensors));
    return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, plain(data as TypedArray)]));
  } finally {
    await session.release();
  }
}

/** Outputs of a model after import. */
export async function imported(
  model: OnnxModel,
  feeds: Feeds,
  sizes: Readonly<Record<string, number>> = {},
): Promise<Readonly<Record<string, readonly number[]>>> {
  const program = await compile(Object.fromEntries(importModel(model, { sizes }).outputs), { threads: 1 });
  try {
    const arrays = Object.entries(feeds).map(([name, { data }]) => [name, data]);
    const results = await program.run(Object.fromEntries(arrays));
    return Object.fromEntries(Object.entries(results).map(([name, data]) => [name, plain(data)]));
  } finally {
    await program.dispose();
  }
}

const plain = (data: TypedArray): readonly number[] => Array.from(data as ArrayLike<number | bigint>, Number);
