import { elementTypeOf } from "../onnx/dtype.ts";
import { widenHalf } from "../onnx/half.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode, ValueInfo } from "../onnx/index.ts";
import type { Tensor } from "../onnx/tensor.ts";

/** A model of half precision as one of float32: tensors widened, casts and inputs with them. Others stay as they are. */
export function widened(model: OnnxModel): OnnxModel {
  return usesHalf(model.graph) ? { ...model, graph: widenedGraph(model.graph) } : model;
}

function usesHalf({ inputs, initializers, nodes }: OnnxGraph): boolean {
  return (
    inputs.some(({ dtype }) => dtype === "float16") ||
    [...initializers.values()].some(({ dtype }) => dtype === "float16") ||
    nodes.some((node) => Object.values(node.attributes).some(isHalfTensor))
  );
}

function isHalfTensor(attribute: OnnxAttribute): boolean {
  return attribute.kind === "tensor" && attribute.value.dtype === "float16";
}

function widenedGraph(graph: OnnxGraph): OnnxGraph {
  return {
    ...graph,
    nodes: graph.nodes.map(widenedNode),
    inputs: graph.inputs.map(widenedInfo),
    outputs: graph.outputs.map(widenedInfo),
    initializers: new Map([...graph.initializers].map(([name, tensor]) => [name, widenedTensor(tensor)])),
  };
}

function widenedNode(node: OnnxNode): OnnxNode {
  const attributes = Object.entries(node.attributes).map(([name, attribute]) => [
    name,
    widenedAttribute(name, attribute),
  ]);
  return { ...node, attributes: Object.fromEntries(attributes) as OnnxNode["attributes"] };
}

/** Attributes that name an element type: what a Cast or a random node gives. */
const elementTypes: ReadonlySet<string> = new Set(["to", "dtype", "output_dtype"]);

function widenedAttribute(name: string, attribute: OnnxAttribute): OnnxAttribute {
  switch (attribute.kind) {
    case "tensor":
      return { kind: "tensor", value: widenedTensor(attribute.value) };
    case "graph":
      return { kind: "graph", value: widenedGraph(attribute.value) };
    case "int":
      if (!elementTypes.has(name) || attribute.value !== elementTypeOf("float16")) return attribute;
      return { kind: "int", value: elementTypeOf("float32") };
    default:
      return attribute;
  }
}

function widenedTensor(tensor: Tensor): Tensor {
  if (tensor.dtype !== "float16") return tensor;
  return { dtype: "float32", shape: tensor.shape, data: widenHalf(tensor.data as Uint16Array) };
}

function widenedInfo(info: ValueInfo): ValueInfo {
  return info.dtype === "float16" ? { ...info, dtype: "float32" } : info;
}
