import type { Graph, Node, Outputs, Value, ValueType } from "../graph/index.ts";
import { int, reachable } from "../graph/index.ts";
import { rewritten } from "./rewrite.ts";

/** Magnitudes of uint8 around 128. */
const levels = 127;
/** Lower bound of magnitudes, so that zeros are not divided by zero. */
const minMagnitude = 2 ** -100;

/** Name of an input of `Int8Products.weights`: the largest magnitude of a weight in int8, float32 of rank 0, at most 127. */
export const largestInt8 = "largestInt8";

export interface Int8Products {
  /** The outputs, which read some of the weights in int8, from inputs of their own. */
  readonly outputs: Outputs;
  /** Those weights in int8 and their scales, by the inputs' names; made of the weights and of `largestInt8`. */
  readonly weights: Outputs;
}

/**
 * Products by weights in int8, by symmetric quantisation: activations, and cotangents in a backward pass, are quantised
 * dynamically with a scale a row (a token), weights with one a column of the product (a channel); sums are exact (int32). All
 * else stays float32: products of two activations, of stacks of weights or with weights on the left, and convolutions.
 *
 * A scale a row, not one for the tensor: tokens and images have cotangents of very different size, and what one image gets
 * must not depend on its neighbours in the batch. Weights are another program's, since they stay the same over the steps of
 * an attack.
 *
 * @param parameters names of the inputs that are weights
 */
export function withInt8Products(outputs: Outputs, parameters: ReadonlySet<string>): Int8Products {
  const values = Object.values(outputs);
  const isProduct = productsByWeights(values, parameters);
  const weights = new Int8Weights();
  const changed = rewritten(values, (node, [a, b, bias]) =>
    isProduct(node) ? [int8Product(node, a!, weights.of(b!, node), bias)] : undefined,
  );
  const step = Object.fromEntries(Object.keys(outputs).map((name, i) => [name, changed[i]!]));
  return { outputs: step, weights: weights.outputs };
}

/** Tells products by a matrix that is made of weights alone. */
function productsByWeights(values: readonly Value[], parameters: ReadonlySet<string>): (node: Node) => boolean {
  const { nodes, sources } = reachable(values);
  const inputs = [...sources].filter(({ origin }) => origin.kind === "input");
  const ofWeights = dependents(
    nodes,
    inputs.filter(({ name }) => parameters.has(name)),
  );
  const ofOthers = dependents(
    nodes,
    inputs.filter(({ name }) => !parameters.has(name)),
  );
  return ({ op, inputs: [a, b], attributes }) => {
    if (op !== "MatMul" && (op !== "Gemm" || int(attributes, "transA"))) return false;
    return a!.rank >= 2 && b!.rank === 2 && ofOthers.has(a!) && ofWeights.has(b!) && !ofOthers.has(b!);
  };
}

/** The values, and all that is computed from them. */
function dependents(nodes: readonly Node[], values: readonly Value[]): ReadonlySet<Value> {
  const found = new Set(values);
  for (const { inputs, outputs } of nodes) if (inputs.some((x) => found.has(x))) for (const y of outputs) found.add(y);
  return found;
}

/** A matrix [k, n], the column's scale times int8. */
interface Int8Weight {
  readonly numbers: Value;
  /** [n] */
  readonly scale: Value;
}

function int8Product({ attributes }: Node, a: Value, { numbers, scale }: Int8Weight, bias: Value | undefined): Value {
  const { graph: g } = a;
  const { alpha = 1, beta = 1 } = attributes as { readonly alpha?: number; readonly beta?: number };
  // Two reductions and no array of magnitudes.
  const [max, min] = [g.reduceMax, g.reduceMin].map((of) => of(a, { axes: [-1], keepDims: true }));
  const largest = g.max(max!, g.neg(min!), minMagnitude);
  const zero = g.constant({ dtype: "uint8", shape: [], data: Uint8Array.of(128) });
  const rounded = quantized(g.mul(a, g.reciprocal(largest)), 1 / levels, zero);
  const sums = g.cast(g.apply("MatMulInteger", [rounded, numbers, zero])[0]!, "float32");
  // The scalar first: ONNX Runtime makes one operator of the product, the cast and the scales where they stand like this.
  const product = g.mul(g.mul(sums, g.mul(g.scalar(alpha / levels), scale)), largest);
  if (!bias) return product;
  return g.add(product, beta === 1 ? bias : g.mul(bias, beta));
}

/** Weights in int8, made once for all products that read them alike. */
class Int8Weights {
  readonly outputs: Record<string, Value> = {};

  of(matrix: Value, { attributes }: Node): Int8Weight {
    const { graph: g } = matrix;
    // The axis that a product sums over.
    const axis = attributes.transB === 1 ? 1 : 0;
    const name = `int8.${matrix.name}.${axis}`;
    const largest = inputOf(g, largestInt8, { dtype: "float32", shape: [] });
    const magnitude = g.max(g.reduceMax(g.abs(matrix), { axes: [axis], keepDims: true }), minMagnitude);
    const zero = g.constant({ dtype: "int8", shape: [], data: Int8Array.of(0) });
    const numbers = quantized(g.mul(matrix, g.div(largest, magnitude)), 1, zero);
    return {
      numbers: this.#handedOver(name, axis === 1 ? g.swap(numbers) : numbers),
      scale: this.#handedOver(`${name}.scale`, g.reshape(g.div(magnitude, largest), [-1])),
    };
  }

  /** An input that takes the value. */
  #handedOver(name: string, value: Value): Value {
    this.outputs[name] = value;
    return inputOf(value.graph, name, value);
  }
}

/** The input of this name, declared where the graph has none. */
function inputOf(g: Graph, name: string, { dtype, shape }: ValueType): Value {
  return g.inputs.find((input) => input.name === name) ?? g.input(name, dtype, shape);
}

/** In the zero's type. */
function quantized(x: Value, scale: number, zero: Value): Value {
  return x.graph.apply("QuantizeLinear", [x, x.graph.scalar(scale), zero])[0]!;
}
