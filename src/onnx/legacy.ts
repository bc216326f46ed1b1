import { elementTypeOf, isDType } from "../tensor/index.ts";
import { describeNode } from "./canonical.ts";
import { OnnxError } from "./errors.ts";
import type { OnnxAttribute, OnnxNode } from "./model.ts";

/**
 * A standard node of an opset before 7 as opset 7 has it, where broadcasting is NumPy's and inference is what is meant. Operands
 * that are aligned with axes other than the last keep their `axis`, under the name `Aligned...`.
 *
 * @throws OnnxError for a node that trains, or that takes operands which opset 7 does not
 */
export function modernized(node: OnnxNode, opset: number): OnnxNode {
  if (opset >= 7) return node;
  const { consumed_inputs: _, ...attributes } = node.attributes;
  const plain = { ...node, attributes };
  const modernize = rewrites[node.op] ?? (binary.has(node.op) ? aligned : undefined);
  return modernize ? modernize(plain, opset) : plain;
}

const binary: ReadonlySet<string> = new Set("Add Sub Mul Div Pow And Or Xor Equal Less Greater".split(" "));

/** Operators with an `Aligned...` form for operands aligned with a given axis: binary operators and PRelu. */
export const alignedOperators: readonly string[] = [...binary, "PRelu"];

function aligned({ attributes: { broadcast, axis, ...attributes }, ...node }: OnnxNode): OnnxNode {
  if (!broadcast?.value || !axis || axis.value === -1) return { ...node, attributes };
  return { ...node, op: `Aligned${node.op}`, attributes: { ...attributes, axis } };
}

/** Files from PyTorch and Caffe2 state that they are for inference. Without that, the default is training. */
function inference({ attributes: { is_test, ...attributes }, ...node }: OnnxNode): OnnxNode {
  if (is_test?.value !== 1)
    throw new OnnxError(`${describeNode(node)} trains (is_test is not 1): export the model for inference`);
  return { ...node, attributes };
}

function without(name: string): (node: OnnxNode) => OnnxNode {
  return (node) => ({
    ...node,
    attributes: Object.fromEntries(Object.entries(node.attributes).filter(([key]) => key !== name)),
  });
}

const withDefault = (node: OnnxNode, name: string, value: number): OnnxNode => ({
  ...node,
  attributes: { [name]: { kind: "int", value }, ...node.attributes },
});

const rewrites: Readonly<Record<string, (node: OnnxNode, opset: number) => OnnxNode>> = {
  Pad: ({ attributes: { paddings, ...attributes }, ...node }) => ({
    ...node,
    attributes: { ...attributes, ...(paddings && { pads: paddings }) },
  }),
  Concat: (node, opset) => (opset >= 4 ? node : withDefault(node, "axis", 1)),
  Split: (node, opset) => {
    if (opset >= 2 || node.inputs.length < 2) return node;
    throw new OnnxError(`${describeNode(node)}: before opset 2 its sizes are an operand, which is not supported`);
  },
  Gemm: without("broadcast"),
  RNN: without("output_sequence"),
  LSTM: without("output_sequence"),
  GRU: without("output_sequence"),
  BatchNormalization: inference,
  Dropout: inference,
  PRelu: (node) => ({
    ...node,
    op: "AlignedPRelu",
    attributes: { ...node.attributes, axis: { kind: "int", value: 1 } },
  }),
  Cast: (node, opset) => {
    const { to } = node.attributes;
    if (opset >= 6 || to?.kind !== "string") return node;
    const old: Readonly<Record<string, string>> = { float: "float32", double: "float64" };
    const word = to.value.toLowerCase();
    const dtype = old[word] ?? word;
    if (!isDType(dtype)) throw new OnnxError(`${describeNode(node)}: element type ${to.value} is not supported`);
    return { ...node, attributes: { to: { kind: "int", value: elementTypeOf(dtype) } } };
  },
  Tile: (node, opset) => {
    if (opset >= 6) return node;
    throw new OnnxError(`${describeNode(node)}: before opset 6 it repeats one axis, which is not supported`);
  },
  Upsample: ({ attributes: { height_scale, width_scale, ...attributes }, ...node }) => {
    const [height, width] = [height_scale, width_scale].map((scale) => Number(scale?.value ?? 1));
    const scales: OnnxAttribute = { kind: "floats", value: [1, 1, height!, width!] };
    return { ...node, attributes: { ...attributes, scales } };
  },
};
