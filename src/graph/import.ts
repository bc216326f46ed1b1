import { canonicalize, constantValue, type OnnxGraph, type OnnxModel, type OnnxNode } from "../onnx/index.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { GraphError } from "./errors.ts";
import { Graph } from "./graph.ts";
import type { Value } from "./value.ts";

export interface ImportOptions {
  /** Sizes of symbolic axes by their names in the file, such as `{ batch: 8 }`. */
  readonly sizes?: Readonly<Record<string, number>>;
}

export interface ImportedGraph {
  readonly graph: Graph;
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
}

/**
 * An ONNX model of opset 13 to 21 as a `Graph`: operators in canonical form, initializers as constants.
 *
 * @throws GraphError when an axis is symbolic and has no size, or an operator is unknown or misused
 * @throws OnnxError when a static operand is not constant
 */
export function fromOnnx(model: OnnxModel, { sizes = {} }: ImportOptions = {}): ImportedGraph {
  const opset = model.opsets.get("");
  if (opset === undefined) throw new GraphError("The model does not say which opset of standard operators it uses.");
  const graph = new Graph();
  const values = new Map<string, Value>();
  const constants = new Map<string, Tensor>(model.graph.initializers);
  const inputs = declareInputs(graph, model.graph, sizes);
  for (const [name, value] of inputs) values.set(name, value);

  const operand = (name: string, node: OnnxNode): Value => {
    const constant = constants.get(name);
    const value = values.get(name) ?? (constant && graph.constant(constant));
    if (!value)
      throw new GraphError(
        `${describe(node)}: its input ${name || "left out in the middle"} is computed nowhere before it.`,
      );
    values.set(name, value);
    return value;
  };
  const constantOf = (name: string): Tensor | undefined => constants.get(name);
  for (const node of model.graph.nodes) {
    const known = constantValue(node, constantOf);
    if (known) {
      constants.set(node.outputs[0]!, known);
      continue;
    }
    if (node.domain !== "" && node.domain !== "ai.onnx")
      throw new GraphError(`${describe(node)}: operators of domain ${node.domain} are unknown.`);
    const canonical = canonicalize(node, opset, constantOf);
    const results = graph.apply(
      canonical.op,
      canonical.inputs.map((name) => operand(name, node)),
      canonical.attributes,
    );
    canonical.outputs.forEach((name, i) => {
      if (name !== "") values.set(name, results[i]!);
    });
  }
  const outputs = model.graph.outputs.map(({ name }) => {
    const constant = constants.get(name);
    const value = values.get(name) ?? (constant && graph.constant(constant));
    if (!value) throw new GraphError(`The model's output ${name} is computed by no node.`);
    return [name, value] as const;
  });
  return { graph, inputs, outputs: new Map(outputs) };
}

function declareInputs(graph: Graph, { inputs, initializers }: OnnxGraph, sizes: Readonly<Record<string, number>>) {
  // Files of old format versions list their initializers among the inputs.
  const fed = inputs.filter(({ name }) => !initializers.has(name));
  return new Map(
    fed.map(({ name, dtype, shape, unranked }) => {
      if (unranked) throw new GraphError(`Input ${name}: the file states no shape.`);
      const resolved = shape.map((size, axis) => {
        if (typeof size === "number") return size;
        const given = sizes[size];
        if (given === undefined)
          throw new GraphError(`Input ${name}: axis ${axis} is symbolic (${size || "unnamed"}); give its size.`);
        return given;
      });
      return [name, graph.input(name, dtype, resolved)] as const;
    }),
  );
}

function describe({ op, name, outputs }: OnnxNode): string {
  return `${op} ${name || outputs[0] || ""}`.trim();
}
