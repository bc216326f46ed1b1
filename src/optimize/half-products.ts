import type { Node, Value } from "../graph/index.ts";
import { product } from "../graph/index.ts";
import { rewritten } from "./rewrite.ts";

/** Lower bound of magnitudes, so that a tensor of zeros is not divided by zero. */
const minMagnitude = 2 ** -60;

/** The largest finite float16: so many terms of at most 1 cannot overflow. */
const maxTerms = 65504;

/**
 * Mixed precision: matrix products and convolutions of float32 in float16, everything between them (normalisation,
 * softmax, sums, losses, updates) in float32 as before.
 *
 * Each operand is divided by its largest magnitude, and the result multiplied by both in float32. So neither the small
 * gradients of a backward pass underflow nor large activations overflow, whatever the loss is scaled by; a loss scale,
 * constant for the whole backward pass, would have to be found for each encoder. Elements below some 1e-7 of their
 * tensor's largest are lost. Products of more than 65504 terms stay in float32, since their sums could overflow.
 *
 * @param compute "float32" rounds operands and results to float16 but computes in between as before: for the CPU, where
 *   ONNX Runtime has no products of float16 and leaves out the casts around them, and the rounding with them
 */
export function withHalfProducts(values: readonly Value[], compute: "float16" | "float32"): readonly Value[] {
  return rewritten(values, (node, inputs) => {
    const terms = termsOf[node.op];
    if (!terms || inputs[0]!.dtype !== "float32" || terms(node) > maxTerms) return undefined;
    return [halfProduct(node, inputs, compute)];
  });
}

/** How many products, at most, are added up for one element of the result. */
const termsOf: Readonly<Record<string, (node: Node) => number>> = {
  MatMul: ({ inputs: [a] }) => a!.shape.at(-1)!,
  Gemm: ({ inputs: [a], attributes: { transA } }) => a!.shape[transA ? 0 : 1]!,
  Conv: ({ inputs: [, weight] }) => product(weight!.shape.slice(1)),
  ConvTranspose: ({ inputs: [, weight], attributes: { group } }) =>
    (weight!.shape[0]! / (group as number)) * product(weight!.shape.slice(2)),
};

function halfProduct({ op, attributes }: Node, [a, b, bias]: readonly Value[], compute: "float16" | "float32"): Value {
  const { graph: g } = a!;
  const [p, q] = [magnitude(a!), magnitude(b!)];
  const plain = op === "Gemm" ? { ...attributes, alpha: 1, beta: 1 } : attributes;
  const rounded = (x: Value): Value => g.cast(g.cast(x, "float16"), compute);
  const y = g.cast(g.apply(op, [rounded(g.div(a!, p)), rounded(g.div(b!, q))], plain)[0]!, "float16");
  const scale = g.mul(p, q);
  const { alpha = 1, beta = 1 } = attributes as { readonly alpha?: number; readonly beta?: number };
  const result = g.mul(g.cast(y, "float32"), alpha === 1 ? scale : g.mul(scale, alpha));
  if (!bias) return result;
  const shift = op === "Gemm" ? bias : g.reshape(bias, [-1, ...y.shape.slice(2).map(() => 1)]);
  return g.add(result, beta === 1 ? shift : g.mul(shift, beta));
}

/** The largest magnitude, a scalar. By rows first: GPUs reduce a whole tensor at once on few of their cores. */
function magnitude(x: Value): Value {
  const { graph: g } = x;
  const rows = g.reduceMax(g.abs(x), { axes: [-1] });
  return g.max(rows.rank > 0 ? g.reduceMax(rows) : rows, minMagnitude);
}
