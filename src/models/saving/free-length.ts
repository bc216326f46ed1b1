import { LoreError } from "../../errors.ts";
import type { OnnxAttribute, OnnxModel, OnnxNode } from "../../onnx/index.ts";
import { int64Tensor, numbersOf } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";

/**
 * A model of sequences of any length up to `longest`, out of one whose graph is built for one length.
 *
 * It is built for two lengths, and what differs between the two is what depends on the length: whole numbers (shapes,
 * the ends of slices), which follow it along a line, and tensors with a row or column a position (masks, indices), of
 * which the beginning is used.
 *
 * @param build the model for a length
 * @param input its input of shape [batch, length]
 */
export function freeLength(build: (length: number) => OnnxModel, longest: number, input: string): OnnxModel {
  const [model, shorter] = [build(longest), build(longest - 1)];
  const initializers = new Map<string, Tensor>([["longest", int64Tensor([longest])]]);
  const nodes: OnnxNode[] = [
    node("Shape", [input], "length", { start: { kind: "int", value: 1 }, end: { kind: "int", value: 2 } }),
    node("Sub", ["length", "longest"], "excess"),
  ];
  /** value + (value - other) excess, the line through both. */
  const line = (name: string, value: Tensor, other: readonly number[]): void => {
    const slope = numbersOf(value).map((number, i) => number - other[i]!);
    initializers.set(`${name}_longest`, value).set(`${name}_slope`, int64Tensor(slope));
    nodes.push(node("Mul", [`${name}_slope`, "excess"], `${name}_change`));
    nodes.push(node("Add", [`${name}_longest`, `${name}_change`], name));
  };
  for (const [name, tensor] of model.graph.initializers) {
    const other = shorter.graph.initializers.get(name);
    if (!other) throw unlike(name);
    if (other.shape.join() !== tensor.shape.join()) {
      initializers.set(`${name}_whole`, tensor).set(`${name}_start`, int64Tensor(tensor.shape.map(() => 0)));
      line(`${name}_end`, int64Tensor(tensor.shape), other.shape);
      nodes.push(node("Slice", [`${name}_whole`, `${name}_start`, `${name}_end`], name));
    } else if (other.data === tensor.data || numbersOf(other).join() === numbersOf(tensor).join()) {
      initializers.set(name, tensor);
    } else if (tensor.dtype === "int64" && tensor.shape.length === 1) {
      line(name, tensor, numbersOf(other));
    } else {
      throw unlike(name);
    }
  }
  const free = { ...model.graph, initializers, nodes: [...nodes, ...model.graph.nodes] };
  return { ...model, graph: free };
}

function unlike(name: string): LoreError {
  return new LoreError(`The graph's constant ${name} does not follow the length of its sequences.`);
}

/** A node of the standard operators with one output. */
export function node(
  op: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): OnnxNode {
  return { op, domain: "", name: output, inputs, outputs: [output], attributes };
}
