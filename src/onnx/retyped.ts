import type { DType, Tensor } from "../tensor/index.ts";
import { elementTypeAttributes, elementTypeOf } from "../tensor/index.ts";
import type { OnnxAttribute, OnnxGraph, OnnxNode, ValueInfo } from "./model.ts";

/** One element type instead of another. */
export interface Retyping {
  readonly from: DType;
  readonly to: DType;
  /** A tensor of `from` as one of `to`. */
  readonly convert: (tensor: Tensor) => Tensor;
}

/** A graph with one element type replaced by another: in tensors, inputs, outputs and results of casts. */
export function retyped(graph: OnnxGraph, retyping: Retyping): OnnxGraph {
  const tensor = (old: Tensor): Tensor => (old.dtype === retyping.from ? retyping.convert(old) : old);
  const info = (old: ValueInfo): ValueInfo => (old.dtype === retyping.from ? { ...old, dtype: retyping.to } : old);
  const attribute = (name: string, old: OnnxAttribute): OnnxAttribute => {
    switch (old.kind) {
      case "tensor":
        return { kind: "tensor", value: tensor(old.value) };
      case "graph":
        return { kind: "graph", value: retyped(old.value, retyping) };
      case "int":
        if (!elementTypeAttributes.has(name) || old.value !== elementTypeOf(retyping.from)) return old;
        return { kind: "int", value: elementTypeOf(retyping.to) };
      default:
        return old;
    }
  };
  const node = (old: OnnxNode): OnnxNode => ({
    ...old,
    attributes: Object.fromEntries(
      Object.entries(old.attributes).map(([name, value]) => [name, attribute(name, value)]),
    ),
  });
  return {
    name: graph.name,
    nodes: graph.nodes.map(node),
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    initializers: new Map([...graph.initializers].map(([name, value]) => [name, tensor(value)])),
    ...(graph.valueInfo && { valueInfo: graph.valueInfo.map(info) }),
  };
}
