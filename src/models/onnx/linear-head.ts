import type { OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { LinearClassifier } from "../classifier.ts";
import { type Producers, transposed } from "./constants.ts";

/** The linear layer that makes class scores: which value it reads, and its weights. */
export interface LinearHead {
  readonly features: string;
  readonly classifier: LinearClassifier;
  /** An operator behind it makes probabilities, which only a classifier's outputs become. */
  readonly makesProbabilities: boolean;
}

const probabilities: ReadonlySet<string> = new Set(["Softmax", "LogSoftmax", "Sigmoid", "LogSigmoid"]);
/** Operators that leave the numbers as they are. */
const transparent: ReadonlySet<string> = new Set(["Identity", "Cast", "Dropout"]);
/** Nodes that are looked through, so that a cyclic graph ends too. */
const farthest = 32;
/** Operators that leave the numbers of each image as they are, in another shape. */
const reshaping: ReadonlySet<string> = new Set(["Flatten", "Reshape", "Squeeze", "Unsqueeze"]);

/**
 * The last linear layer in front of a value: a product with a constant matrix (`MatMul`, `Gemm`) or a 1 x 1 convolution, with
 * what is added to it and what it is multiplied by. Behind it may come a mean over the image, which a 1 x 1 convolution may
 * as well come after, changes of shape, and probabilities. Undefined where there is no such layer.
 *
 * @param isQuantized the file's: what saturates where integers end is looked through
 */
export function linearHead(graph: Producers, output: string, isQuantized = false): LinearHead | undefined {
  let [name, makesProbabilities] = [output, false];
  for (let left = farthest; left > 0; left--) {
    const node = graph.node(name);
    if (node?.domain !== "") break;
    // Along the first axis, they would belong to images.
    if (probabilities.has(node.op) && numericAttributes(node).axis !== 0) makesProbabilities = true;
    else if (!transparent.has(node.op) && !reshaping.has(node.op) && !(isQuantized && saturates(node, graph))) break;
    name = node.inputs[0]!;
  }
  const layer = layerOf(graph, name, farthest);
  if (!layer) return undefined;
  const { features, weight, bias } = layer;
  const [classes] = weight.shape as [number];
  const classifier: LinearClassifier = {
    kind: "linear",
    weight,
    bias: { dtype: "float32", shape: [classes], data: bias },
  };
  return { features, classifier, makesProbabilities };
}

/** Whether a value is another's, or the same numbers of each image in another shape. */
export function isSameValue(graph: Producers, value: string, other: string): boolean {
  let name = value;
  for (let left = farthest; left > 0 && name !== other; left--) {
    const node = graph.node(name);
    if (node?.domain !== "" || !(transparent.has(node.op) || reshaping.has(node.op))) return false;
    name = node.inputs[0]!;
  }
  return name === other;
}

/** A quantised file's logits saturate on both sides of zero; a rectifier does not. */
function saturates(node: OnnxNode, graph: Producers): boolean {
  if (node.op !== "Clip") return false;
  const given = numericAttributes(node);
  const [low, high] = [given.min, given.max].map(
    (value, i) => value ?? Number(graph.constant(node.inputs[i + 1])?.data[0]),
  );
  return low! < 0 && high! > 0;
}

interface Layer {
  readonly features: string;
  /** [classes, features] */
  readonly weight: Tensor<"float32">;
  readonly bias: Float32Array;
  /** Its result is [N, classes, H, W]. */
  readonly isMap: boolean;
}

function layerOf(graph: Producers, name: string, left: number): Layer | undefined {
  const node = left > 0 ? graph.node(name) : undefined;
  return node && (node.domain === "" ? readers[node.op] : fusedReaders[node.op])?.(node, graph, left - 1);
}

type Reader = (node: OnnxNode, graph: Producers, left: number) => Layer | undefined;

const through: Reader = (node, graph, left) => layerOf(graph, node.inputs[0]!, left);

const reshaped: Reader = (node, graph, left) => {
  const layer = through(node, graph, left);
  return layer && { ...layer, isMap: false };
};

/** The mean of a map of scores is the score of the mean, which `embeddingRows` takes of a map of features. */
const averaged: Reader = (node, graph, left) => {
  const layer = through(node, graph, left);
  return layer?.isMap ? layer : undefined;
};

const product: Reader = (node, graph) => {
  const weight = matrix(graph, node.inputs[1]);
  const { alpha = 1, beta = 1, transA = 0, transB = 0 } = numericAttributes(node);
  if (!weight || transA !== 0 || node.attributes.activation) return undefined;
  const rows = scaled(transB ? weight : transposed(weight), alpha);
  const layer = { features: node.inputs[0]!, weight: rows, bias: new Float32Array(rows.shape[0]!), isMap: false };
  return node.inputs[2] ? withBias(layer, graph.constant(node.inputs[2]), beta) : layer;
};

const convolution: Reader = (node, graph) => {
  const weight = graph.constant(node.inputs[1]);
  if (weight?.dtype !== "float32" || weight.shape.slice(2).join() !== "1,1") return undefined;
  const { group = 1 } = numericAttributes(node);
  const [strides, pads] = ["strides", "pads"].map((attribute) => graph.numbers(onlyAttributes(node), attribute) ?? []);
  const isPlain = strides!.every((step) => step === 1) && pads!.every((pad) => pad === 0);
  if (group !== 1 || !isPlain || node.attributes.activation || node.inputs[3]) return undefined;
  const [classes, features] = weight.shape as [number, number];
  const rows = { ...(weight as Tensor<"float32">), shape: [classes, features] };
  const layer = { features: node.inputs[0]!, weight: rows, bias: new Float32Array(classes), isMap: true };
  const bias = node.inputs[2] ? graph.constant(node.inputs[2]) : undefined;
  return node.inputs[2] ? withBias(layer, bias && { ...bias, shape: [...bias.shape, 1, 1] }, 1) : layer;
};

const sum =
  (sign: number): Reader =>
  (node, graph, left) => {
    const [place, layer] = operand(node, graph, left);
    // A constant minus a layer is none.
    if (!layer || (sign < 0 && place !== 0)) return undefined;
    return withBias(layer, graph.constant(node.inputs[1 - place]), sign);
  };

const factor =
  (power: number): Reader =>
  (node, graph, left) => {
    const [place, layer] = operand(node, graph, left);
    if (!layer || (power < 0 && place !== 0)) return undefined;
    const factors = perClass(layer, graph.constant(node.inputs[1 - place]));
    if (!factors) return undefined;
    const { weight, bias } = layer;
    const [, width] = weight.shape as [number, number];
    const rate = factors.map((value) => value ** power);
    return {
      ...layer,
      weight: { ...weight, data: weight.data.map((value, i) => value * rate[Math.floor(i / width)]!) },
      bias: bias.map((value, i) => value * rate[i]!),
    };
  };

const readers: Readonly<Record<string, Reader>> = {
  ...Object.fromEntries([...transparent].map((op) => [op, through])),
  ...Object.fromEntries([...reshaping].map((op) => [op, reshaped])),
  GlobalAveragePool: averaged,
  ReduceMean: (node, graph, left) => {
    const axes = graph.numbers(node, "axes")?.map((axis) => (axis + 4) % 4);
    return axes?.toSorted().join() === "2,3" ? averaged(node, graph, left) : undefined;
  },
  Gemm: product,
  MatMul: product,
  Conv: convolution,
  Add: sum(1),
  Sub: sum(-1),
  Mul: factor(1),
  Div: factor(-1),
};

/** ONNX Runtime's own operators, which its optimised files contain. */
const fusedReaders: Readonly<Record<string, Reader>> = {
  FusedMatMul: product,
  FusedGemm: product,
  FusedConv: convolution,
};

/** The operand of a binary operator that a layer makes, and its place. */
function operand(node: OnnxNode, graph: Producers, left: number): readonly [place: number, layer: Layer | undefined] {
  const place = graph.constant(node.inputs[0]) ? 1 : 0;
  return [place, layerOf(graph, node.inputs[place]!, left)];
}

function withBias(layer: Layer, tensor: Tensor | undefined, rate: number): Layer | undefined {
  const added = perClass(layer, tensor);
  return added && { ...layer, bias: layer.bias.map((value, i) => value + rate * added[i]!) };
}

/** One number per class from a constant that is broadcast over the layer's result. */
function perClass({ bias: { length: classes }, isMap }: Layer, tensor: Tensor | undefined): Float32Array | undefined {
  if (tensor?.dtype !== "float32") return undefined;
  const { shape, data } = tensor as Tensor<"float32">;
  if (data.length === 1) return new Float32Array(classes).fill(data[0]!);
  const sizes = isMap ? shape.slice(0, -2) : shape;
  const isFlat = !isMap || shape.slice(-2).join() === "1,1";
  return isFlat && data.length === classes && sizes.at(-1) === classes ? data : undefined;
}

function matrix(graph: Producers, name: string | undefined): Tensor<"float32"> | undefined {
  const found = graph.constant(name);
  return found?.dtype === "float32" && found.shape.length === 2 ? (found as Tensor<"float32">) : undefined;
}

function scaled(tensor: Tensor<"float32">, rate: number): Tensor<"float32"> {
  return rate === 1 ? tensor : { ...tensor, data: tensor.data.map((value) => value * rate) };
}

function numericAttributes(node: OnnxNode): Readonly<Record<string, number>> {
  const numbers = Object.entries(node.attributes).flatMap(([name, { kind, value }]) =>
    kind === "int" || kind === "float" ? [[name, value] as const] : [],
  );
  return Object.fromEntries(numbers);
}

const onlyAttributes = (node: OnnxNode): OnnxNode => ({ ...node, inputs: [] });
