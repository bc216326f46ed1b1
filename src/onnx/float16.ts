import type { DType, Tensor } from "../tensor/index.ts";
import { elementTypeOf, fromHalf, toHalf } from "../tensor/index.ts";
import type { OnnxAttribute, OnnxGraph, OnnxModel, OnnxNode } from "./model.ts";
import { withoutNoOpCasts } from "./no-op-casts.ts";
import { renamed } from "./renamed.ts";
import { type Retyping, retyped } from "./retyped.ts";

/**
 * A float32 model as one that holds weights and computes in float16, with the same float32 inputs and outputs, as
 * transformers.js expects of `model_fp16.onnx`. Everything of float32 becomes float16, so that types fit together as before; what
 * an operator takes in float32 only, the scales of `Resize`, stays. Numbers beyond 65504 become that, and numbers too small
 * for float16 its smallest, so that an epsilon does not become a division by zero; infinities stay.
 */
export function toFloat16(model: OnnxModel): OnnxModel {
  const { graph } = model;
  const fresh = namer(graph);
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const entries = inputs.filter(({ dtype }) => dtype === "float32");
  const entered = new Set(entries.map(({ name }) => name));
  const exits = graph.outputs.filter(({ name, dtype }) => dtype === "float32" && !entered.has(name));
  const inside = new Map([...entries, ...exits].map(({ name }) => [name, fresh(name)]));
  const scales = new Float32Operands(graph, fresh);
  const explicit = mapNodes(withoutNoOpCasts(graph), (node) => [withTensors(node)]);
  const half = mapNodes(
    retyped(
      renamed(explicit, (name) => inside.get(name) ?? name),
      narrowing,
    ),
    (node) => scales.kept(node),
  );
  return {
    ...model,
    graph: {
      ...half,
      inputs,
      outputs: graph.outputs,
      nodes: [
        ...entries.map(({ name }) => cast(name, inside.get(name)!, "float16")),
        ...half.nodes,
        ...exits.map(({ name }) => cast(inside.get(name)!, name, "float32")),
      ],
      initializers: new Map([...half.initializers, ...scales.constants]),
    },
  };
}

const narrowing: Retyping = {
  from: "float32",
  to: "float16",
  convert: ({ shape, data }) => ({ dtype: "float16", shape, data: narrowed(data as Float32Array) }),
};

const [largest, smallest] = [fromHalf(0x7bff), fromHalf(0x0001)];

function narrowed(values: Float32Array): Uint16Array {
  const patterns = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const magnitude = Math.abs(value);
    const kept = magnitude === 0 || !Number.isFinite(value);
    patterns[i] = toHalf(kept ? value : Math.sign(value) * Math.min(Math.max(magnitude, smallest), largest));
  }
  return patterns;
}

/** The operands of `Resize` that are float32 whatever its image is: region and scales. */
const float32Operands = [1, 2];

/** Keeps the float32 operands of `Resize`. Constants stay exact, since a rounded scale may give another size. */
class Float32Operands {
  readonly constants = new Map<string, Tensor>();
  readonly #known: ReadonlyMap<string, Tensor>;
  readonly #fresh: (hint: string) => string;

  constructor(graph: OnnxGraph, fresh: (hint: string) => string) {
    this.#known = constantsOf(graph);
    this.#fresh = fresh;
  }

  kept(node: OnnxNode): readonly OnnxNode[] {
    if (node.op !== "Resize" || node.domain !== "") return [node];
    const casts: OnnxNode[] = [];
    const inputs = node.inputs.map((name, place) => {
      if (name === "" || !float32Operands.includes(place)) return name;
      const wide = this.#fresh(name);
      const constant = this.#known.get(name);
      if (constant) this.constants.set(wide, constant);
      else casts.push(cast(name, wide, "float32"));
      return wide;
    });
    return [...casts, { ...node, inputs }];
  }
}

/** A node whose numeric attribute becomes a tensor, so that its type can change. */
function withTensors(node: OnnxNode): OnnxNode {
  const { value, value_float: one, value_floats: list, ...others } = node.attributes;
  if (value) return node;
  if (node.op === "ConstantOfShape") return { ...node, attributes: { ...others, value: tensorOf([0], [1]) } };
  if (node.op !== "Constant") return node;
  if (one?.kind === "float") return { ...node, attributes: { ...others, value: tensorOf([one.value], []) } };
  if (list?.kind !== "floats") return node;
  return { ...node, attributes: { ...others, value: tensorOf(list.value, [list.value.length]) } };
}

function tensorOf(values: readonly number[], shape: readonly number[]): OnnxAttribute {
  return { kind: "tensor", value: { dtype: "float32", shape, data: Float32Array.from(values) } };
}

/** Float32 tensors by the names of their values, of all subgraphs too: names are unique over them. */
function constantsOf(graph: OnnxGraph): ReadonlyMap<string, Tensor> {
  const found = new Map(graph.initializers);
  for (const node of graph.nodes) {
    const { value } = withTensors(node).attributes;
    if (node.op === "Constant" && value?.kind === "tensor") found.set(node.outputs[0]!, value.value);
    for (const inner of subgraphs(node)) for (const [name, tensor] of constantsOf(inner)) found.set(name, tensor);
  }
  return found;
}

function mapNodes(graph: OnnxGraph, map: (node: OnnxNode) => readonly OnnxNode[]): OnnxGraph {
  const attribute = (value: OnnxAttribute): OnnxAttribute =>
    value.kind === "graph" ? { kind: "graph", value: mapNodes(value.value, map) } : value;
  const within = (node: OnnxNode): OnnxNode => ({
    ...node,
    attributes: Object.fromEntries(Object.entries(node.attributes).map(([name, value]) => [name, attribute(value)])),
  });
  return { ...graph, nodes: graph.nodes.flatMap((node) => map(within(node))) };
}

function subgraphs({ attributes }: OnnxNode): readonly OnnxGraph[] {
  return Object.values(attributes).flatMap((value) => (value.kind === "graph" ? [value.value] : []));
}

/** Makes names that no value of the graph has. */
function namer(graph: OnnxGraph): (hint: string) => string {
  const taken = new Set(namesIn(graph));
  return (hint) => {
    let name = `${hint}/cast`;
    for (let i = 1; taken.has(name); i++) name = `${hint}/cast_${i}`;
    taken.add(name);
    return name;
  };
}

function namesIn(graph: OnnxGraph): readonly string[] {
  return [
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.keys(),
    ...graph.nodes.flatMap((node) => [node.name, ...node.outputs, ...subgraphs(node).flatMap(namesIn)]),
  ];
}

function cast(from: string, to: string, dtype: DType): OnnxNode {
  const attributes = { to: { kind: "int", value: elementTypeOf(dtype) } } as const;
  return { op: "Cast", domain: "", name: to, inputs: [from], outputs: [to], attributes };
}
