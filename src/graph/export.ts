import { irVersionFor, lower, type OnnxModel, type OnnxNode, type ValueInfo } from "../onnx/index.ts";
import type { DType, Tensor } from "../tensor/index.ts";
import { GraphError } from "./errors.ts";
import type { Graph } from "./graph.ts";
import { reachable } from "./reachable.ts";
import type { Node, Value } from "./value.ts";

export interface ExportOptions {
  /** ONNX opset to write, 13 to 21. Default 21. */
  readonly opset?: number;
  /** Declares axis 0 of every input and output as symbolic, under this name, instead of the size it was built with. */
  readonly batchAxis?: string;
  /** Orders the file's nodes, given in the order of building. The result must be topological. Default: as built. */
  readonly order?: (nodes: readonly Node[]) => readonly Node[];
}

/**
 * The part of a graph that the outputs depend on, as an ONNX model. Inputs that no output needs are left out.
 *
 * @param outputs the model's outputs by name; a name may not be that of an input
 */
export function toOnnx(outputs: Readonly<Record<string, Value>>, options: ExportOptions = {}): OnnxModel {
  const { opset = 21, batchAxis, order = (built) => built } = options;
  const entries = Object.entries(outputs);
  const graph = onlyGraph(entries);
  const { nodes, sources } = reachable(entries.map(([, value]) => value));
  const inputs = graph.inputs.filter((input) => sources.has(input));
  for (const input of inputs) {
    if (Object.hasOwn(outputs, input.name))
      throw new GraphError(`${input.name} is the name of an input and of an output.`);
  }

  const names = new Map<Value, string>(inputs.map((input) => [input, input.name]));
  const taken = new Set([...names.values(), ...Object.keys(outputs)]);
  const fresh = (hint: string): string => {
    let name = hint;
    for (let i = 1; taken.has(name); i++) name = `${hint}_${i}`;
    taken.add(name);
    return name;
  };
  const aliases: OnnxNode[] = [];
  for (const [name, value] of entries) {
    if (value.origin.kind === "node" && !names.has(value)) names.set(value, name);
    else aliases.push(identity(nameOf(value), name));
  }
  function nameOf(value: Value): string {
    const name = names.get(value) ?? fresh(value.name);
    names.set(value, name);
    return name;
  }

  const used = new Set([...nodes.flatMap((node) => node.inputs), ...entries.map(([, value]) => value)]);
  const dtypes = new Map<string, DType>();
  const onnxNodes: OnnxNode[] = [];
  const initializers = new Map<string, Tensor>();
  for (const value of sources) {
    dtypes.set(nameOf(value), value.dtype);
    if (value.origin.kind === "constant") initializers.set(nameOf(value), value.origin.tensor);
  }
  for (const node of order(nodes)) {
    const canonical = {
      op: node.op,
      domain: "",
      inputs: node.inputs.map(nameOf),
      outputs: written(node, used).map(nameOf),
      attributes: node.attributes,
    };
    for (const output of written(node, used)) dtypes.set(nameOf(output), output.dtype);
    const lowered = lower(canonical, opset, (name) => dtypes.get(name)!, fresh);
    onnxNodes.push(...lowered.nodes);
    for (const [name, tensor] of lowered.constants) initializers.set(name, tensor);
  }
  const info = (name: string, value: Value): ValueInfo => ({
    name,
    dtype: value.dtype,
    shape: batchAxis !== undefined && value.rank > 0 ? [batchAxis, ...value.shape.slice(1)] : value.shape,
  });
  return {
    irVersion: irVersionFor(opset),
    opsets: new Map([["", opset]]),
    producerName: "lore-vision",
    producerVersion: "",
    metadata: new Map(),
    graph: {
      name: "graph",
      nodes: [...onnxNodes, ...aliases],
      inputs: inputs.map((input) => info(input.name, input)),
      outputs: entries.map(([name, value]) => info(name, value)),
      initializers,
    },
  };
}

function onlyGraph(entries: readonly (readonly [string, Value])[]): Graph {
  const graph = entries[0]?.[1].graph;
  if (!graph) throw new GraphError("A model needs at least one output.");
  const stranger = entries.find(([, value]) => value.graph !== graph);
  if (stranger) throw new GraphError(`Output ${stranger[0]} belongs to another graph than the first output.`);
  return graph;
}

function identity(from: string, to: string): OnnxNode {
  return { op: "Identity", domain: "", name: to, inputs: [from], outputs: [to], attributes: {} };
}

const allOutputs: ReadonlySet<string> = new Set(["Split", "TopK"]);

/** Outputs to write: unread ones at the end are left out if ONNX makes them optional. */
function written(node: Node, used: ReadonlySet<Value>): readonly Value[] {
  if (allOutputs.has(node.op)) return node.outputs;
  return node.outputs.slice(0, node.outputs.findLastIndex((output) => used.has(output)) + 1);
}
