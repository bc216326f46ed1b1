import { GraphError, Mismatch } from "../graph/errors.ts";
import type { Graph, Value } from "../graph/index.ts";
import { operators } from "../graph/operators/index.ts";
import { elementTypeOf } from "../onnx/dtype.ts";
import { canonicalize, constantValue, type OnnxModel, type OnnxNode } from "../onnx/index.ts";
import type { Tensor } from "../onnx/tensor.ts";
import { composites } from "./composites/index.ts";
import { describe } from "./describe.ts";
import { checkHonoured } from "./honoured/check.ts";
import { evaluate, type Known, knownOf, tensorOf } from "./known.ts";
import { namesRead, neededNodes } from "./needed.ts";

export interface Placement {
  /** The model's inputs by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** What stands for a weight; undefined leaves it a constant. Asked once for every weight that is used. */
  readonly weight?: (name: string, tensor: Tensor) => Value | undefined;
  /** The values wanted, by name: outputs of the model or of any of its nodes. */
  readonly wanted: readonly string[];
}

/**
 * Adds what a model computes to a graph: operators in canonical form, shape arithmetic done. Only what the wanted values
 * need is looked at.
 *
 * @throws GraphError naming the node that is unknown or misused
 * @throws OnnxError naming the operand that must be known before the model runs, and is not
 */
export function place(model: OnnxModel, graph: Graph, placement: Placement): ReadonlyMap<string, Value> {
  const nodes = neededNodes(model.graph, placement.wanted);
  const placer = new Placer(model, graph, placement, namesRead(nodes));
  for (const node of nodes) placer.add(node);
  return new Map(placement.wanted.map((name) => [name, placer.value(name, `The output ${name}`)]));
}

class Placer {
  readonly #graph: Graph;
  readonly #opset: number;
  readonly #weight: NonNullable<Placement["weight"]>;
  readonly #tensors: Map<string, Tensor>;
  readonly #values: Map<string, Value>;
  readonly #known = new Map<string, Known>();
  readonly #isRead: (name: string) => boolean;

  constructor(
    { opsets, graph: { initializers } }: OnnxModel,
    graph: Graph,
    { inputs, weight, wanted }: Placement,
    read: ReadonlySet<string>,
  ) {
    const opset = opsets.get("");
    if (opset === undefined) throw new GraphError("The model does not say which opset of standard operators it uses.");
    this.#graph = graph;
    this.#opset = opset;
    this.#weight = weight ?? (() => undefined);
    this.#tensors = new Map(initializers);
    this.#values = new Map(inputs);
    this.#isRead = (name) => read.has(name) || wanted.includes(name);
  }

  /** The graph's value of this name. `reader` says who wants it. */
  value(name: string, reader: string): Value {
    const known = this.#known.get(name);
    const tensor = known ? tensorOf(known) : this.#tensors.get(name);
    const found =
      this.#values.get(name) ?? (tensor && ((!known && this.#weight(name, tensor)) || this.#graph.constant(tensor)));
    if (!found) throw new GraphError(`${reader} reads ${name}, which neither an input, a weight nor a node gives.`);
    this.#values.set(name, found);
    return found;
  }

  add(node: OnnxNode): void {
    checkHonoured(node, this.#isRead);
    const constant = constantValue(node, this.#constant);
    if (constant) this.#tensors.set(node.outputs[0]!, constant);
    else if (node.op === "If") this.#addBranch(node);
    else if (node.op === "Shape" || node.op === "Size") this.#addSizes(node);
    else this.#addOperator(node.op === "CastLike" ? this.#asCast(node) : node);
  }

  /** The type is known, whether the value that has it is or not. */
  #asCast(node: OnnxNode): OnnxNode {
    const [x, like] = node.inputs as [string, string];
    const { dtype } = this.#known.get(like) ?? this.#tensors.get(like) ?? this.value(like, describe(node));
    return { ...node, op: "Cast", inputs: [x], attributes: { to: { kind: "int", value: elementTypeOf(dtype) } } };
  }

  #addOperator(node: OnnxNode): void {
    const canonical = canonicalize(node, this.#opset, this.#constant);
    const { op, inputs, outputs } = canonical;
    const known = evaluate(
      canonical,
      inputs.map((name) => this.#knownOf(name)),
    );
    if (known) {
      for (const [i, result] of known.entries()) this.#known.set(outputs[i]!, result);
      return;
    }
    const operands = inputs.map((name) => (name === "" ? undefined : this.value(name, describe(node))));
    const results = op === "Identity" ? (operands as readonly Value[]) : this.#apply(node, canonical, operands);
    for (const [i, result] of results.entries()) if (outputs[i]) this.#values.set(outputs[i], result);
  }

  #apply(
    node: OnnxNode,
    { op, domain, attributes }: ReturnType<typeof canonicalize>,
    x: readonly (Value | undefined)[],
  ): readonly Value[] {
    const composite = composites[domain === "" ? op : `${domain}:${op}`];
    if (composite) return this.#written(node, () => composite({ g: this.#graph, x, a: attributes }));
    if (domain !== "" || !Object.hasOwn(operators, op))
      throw new GraphError(`${describe(node)}: ${op} is supported only where its operands are known.`);
    if (x.includes(undefined)) throw new GraphError(`${describe(node)}: one of its inputs is left out.`);
    return this.#graph.apply(op, x as readonly Value[], attributes);
  }

  /** A composite's own complaints, told with the node. */
  #written(node: OnnxNode, write: () => readonly Value[]): readonly Value[] {
    try {
      return write();
    } catch (error) {
      if (!(error instanceof Mismatch)) throw error;
      throw new GraphError(`${describe(node)}: ${error.message}.`, { cause: error });
    }
  }

  /** Sizes are static here, so that what a file computes from them is known. */
  #addSizes(node: OnnxNode): void {
    const { shape } = this.#shapeOf(node);
    const { start = 0, end = shape.length } = Object.fromEntries(
      Object.entries(node.attributes).map(([name, { value }]) => [name, value as number]),
    );
    const values = node.op === "Size" ? [shape.reduce((a, b) => a * b, 1)] : shape.slice(start, end);
    this.#known.set(node.outputs[0]!, { dtype: "int64", shape: node.op === "Size" ? [] : [values.length], values });
  }

  #shapeOf(node: OnnxNode): { readonly shape: readonly number[] } {
    const name = node.inputs[0] ?? "";
    return this.#known.get(name) ?? this.#tensors.get(name) ?? this.value(name, describe(node));
  }

  /** The branch that is taken, when that is known: exporters write `If` where sizes decide. */
  #addBranch(node: OnnxNode): void {
    const condition = this.#knownOf(node.inputs[0] ?? "");
    const branch = node.attributes[condition?.values[0] ? "then_branch" : "else_branch"];
    if (!condition || branch?.kind !== "graph")
      throw new GraphError(`${describe(node)}: which branch is taken depends on the image, and must be known before.`);
    for (const [name, tensor] of branch.value.initializers) this.#tensors.set(name, tensor);
    for (const inner of branch.value.nodes) this.add(inner);
    branch.value.outputs.forEach(({ name }, i) => {
      const known = this.#knownOf(name);
      if (known) this.#known.set(node.outputs[i]!, known);
      else this.#values.set(node.outputs[i]!, this.value(name, describe(node)));
    });
  }

  /** The elements of a value when they are known; a weight that stands for itself in training is not. */
  #knownOf(name: string): Known | undefined {
    const found = this.#known.get(name);
    if (found || this.#values.has(name)) return found;
    const tensor = this.#tensors.get(name);
    const known = tensor && knownOf(tensor);
    if (!known) return undefined;
    const weight = this.#weight(name, tensor);
    if (weight) this.#values.set(name, weight);
    else this.#known.set(name, known);
    return weight ? undefined : known;
  }

  /** Operands that must be known before the model runs: never weights, whatever stands for those. */
  readonly #constant = (name: string): Tensor | undefined => {
    const known = this.#known.get(name);
    return known ? tensorOf(known) : this.#tensors.get(name);
  };
}
