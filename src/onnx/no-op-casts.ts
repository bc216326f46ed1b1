import { elementTypeOf } from "../tensor/index.ts";
import type { OnnxGraph, OnnxNode } from "./model.ts";

/**
 * A graph whose casts of float32 to float32 are identities. PyTorch writes such casts beside attention; of float16
 * they are no valid model to ONNX Runtime, which inserts casts of its own around them.
 *
 * @param known float32 values that the graph reads from outside
 */
export function withoutNoOpCasts(graph: OnnxGraph, known: Iterable<string> = []): OnnxGraph {
  const floats = new Set(known);
  for (const { name, dtype } of graph.inputs) if (dtype === "float32") floats.add(name);
  for (const [name, { dtype }] of graph.initializers) if (dtype === "float32") floats.add(name);
  const nodes = graph.nodes.map((node) => {
    if (givesFloat(node, floats)) floats.add(node.outputs[0]!);
    return castsToFloat(node) && floats.has(node.inputs[0]!)
      ? { ...node, op: "Identity", attributes: {} }
      : inner(node, floats);
  });
  return { ...graph, nodes };
}

function inner(node: OnnxNode, floats: ReadonlySet<string>): OnnxNode {
  const attributes = Object.entries(node.attributes).map(([name, value]) => [
    name,
    value.kind === "graph" ? { kind: "graph", value: withoutNoOpCasts(value.value, floats) } : value,
  ]);
  return { ...node, attributes: Object.fromEntries(attributes) as OnnxNode["attributes"] };
}

const castsToFloat = ({ op, attributes: { to } }: OnnxNode): boolean =>
  op === "Cast" && to?.kind === "int" && to.value === elementTypeOf("float32");

/** Is the first output surely of float32? */
function givesFloat(node: OnnxNode, floats: ReadonlySet<string>): boolean {
  if (castsToFloat(node)) return true;
  const { value, value_float: number } = node.attributes;
  if (node.op === "Constant")
    return number !== undefined || (value?.kind === "tensor" && value.value.dtype === "float32");
  if (ownType.has(node.op)) return false;
  return floats.has(node.inputs[likeInput[node.op] ?? 0] ?? "");
}

/** Operators whose output type differs from their inputs'. All others have an input's type. */
const ownType: ReadonlySet<string> = new Set(
  (
    "Shape Size ArgMax ArgMin NonZero Equal Greater GreaterOrEqual Less LessOrEqual IsNaN IsInf Cast ConstantOfShape EyeLike " +
    "RandomNormalLike RandomUniformLike QuantizeLinear DequantizeLinear DynamicQuantizeLinear NonMaxSuppression If Loop Scan"
  ).split(" "),
);

/** Index of the input whose type the output has, where it is not the first. */
const likeInput: Readonly<Record<string, number>> = { Where: 1, CastLike: 1, OneHot: 2 };
