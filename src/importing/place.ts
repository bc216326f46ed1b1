import type { Graph, Value } from "../graph/index.ts";
import { GraphError, Mismatch, mismatch, operators } from "../graph/index.ts";
import {
  type Attributes,
  type CanonicalNode,
  canonicalize,
  constantValue,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  scalarTensor,
} from "../onnx/index.ts";
import { type DType, elementCount, type Tensor } from "../tensor/index.ts";
import { composites } from "./composites/index.ts";
import { controls, type Runner } from "./control.ts";
import { describe } from "./describe.ts";
import { checkHonoured } from "./honoured/check.ts";
import { type Item, knownItem, Scope, valueItem } from "./items.ts";
import { evaluate, type Known, knownOf, tensorOf } from "./known.ts";
import { constantShape, isPacked, maxKnown, maxOfValue, maxUnrolled } from "./limits.ts";
import { namesRead, neededNodes } from "./needed.ts";

export interface Placement {
  /** The model's inputs by name. */
  readonly inputs: ReadonlyMap<string, Value>;
  /** The value to use for a weight; undefined leaves it a constant. Called once for every weight in use. */
  readonly weight?: (name: string, tensor: Tensor) => Value | undefined;
  /** The values wanted, by name: outputs of the model or of any of its nodes. */
  readonly wanted: readonly string[];
}

/**
 * Adds what a model computes to a graph: operators in canonical form, shape arithmetic done, branches and loops followed. Only
 * what the wanted values need is looked at.
 *
 * @throws GraphError naming the node that is unknown or misused
 * @throws OnnxError naming the operand that must be known before the model runs, and is not
 */
export function place(model: OnnxModel, graph: Graph, placement: Placement): ReadonlyMap<string, Value> {
  const nodes = neededNodes(model.graph, placement.wanted);
  const read = new Set([...namesRead(nodes), ...placement.wanted]);
  const placer = new Placer(model, graph, placement, (name) => read.has(name));
  const scope = new Scope();
  for (const [name, tensor] of model.graph.initializers) scope.bind(name, { kind: "held", name, tensor });
  for (const [name, value] of placement.inputs) scope.bind(name, valueItem(value));
  for (const node of nodes) placer.add(node, scope);
  return new Map(placement.wanted.map((name) => [name, placer.value(name, scope, `The output ${name}`)]));
}

class Placer {
  readonly #graph: Graph;
  readonly #opset: number;
  readonly #weight: NonNullable<Placement["weight"]>;
  readonly #isRead: (name: string) => boolean;
  /** Cached values of the file's tensors; undefined for tensors that are no weights. */
  readonly #weights = new Map<Item, Value | undefined>();
  /** Cached constants of known and held items. */
  readonly #constants = new Map<Item, Value>();
  /** Values that depend on no input. ONNX Runtime computes them before it runs, whatever memory that takes. */
  readonly #fixed = new Set<Value>();
  #unrolled = 0;

  constructor({ opsets }: OnnxModel, graph: Graph, { weight }: Placement, isRead: (name: string) => boolean) {
    const opset = opsets.get("");
    if (opset === undefined) throw new GraphError("The model does not say which opset of standard operators it uses.");
    this.#graph = graph;
    this.#opset = opset;
    this.#weight = weight ?? (() => undefined);
    this.#isRead = isRead;
  }

  /** The graph's value of this name. `reader` names the node that reads it. */
  value(name: string, scope: Scope, reader: string): Value {
    return this.#valueOf(this.#item(name, scope, reader), `${reader} reads ${name}, which`);
  }

  add(node: OnnxNode, scope: Scope): void {
    checkHonoured(node, this.#isRead, this.#opset);
    const results = told(node, () => this.#results(node, scope));
    for (const [i, name] of node.outputs.entries()) {
      const item = results[i];
      if (name !== "" && item) scope.bind(name, item);
    }
  }

  #results(node: OnnxNode, scope: Scope): readonly (Item | undefined)[] {
    const constant = (name: string): Tensor | undefined => this.#tensorOf(scope.find(name));
    const tensor = constantValue(node);
    if (tensor) return [{ kind: "held", name: node.outputs[0]!, tensor }];
    const items = node.inputs.map((name) => (name === "" ? undefined : this.#item(name, scope, describe(node))));
    const control = node.domain === "" && Object.hasOwn(controls, node.op) ? controls[node.op] : undefined;
    if (control) return control(node, items, this.#runner(scope));
    if (node.op === "ConstantOfShape") return [this.#filled(node, items[0]!)];
    if (node.op === "CastLike") return [this.#castLike(items[0]!, items[1]!)];
    if (node.op === "Shape" || node.op === "Size") return [this.#sizes(node, items[0])];
    const canonical = canonicalize(node, this.#opset, constant);
    if (canonical.op === "Identity" && canonical.domain === "") return items;
    // Canonical form leaves operands out at the end only, or makes attributes of them.
    return this.#computed(
      canonical,
      canonical.inputs.map((name) => (name === "" ? undefined : scope.find(name))),
    );
  }

  #computed(node: CanonicalNode, items: readonly (Item | undefined)[]): readonly Item[] {
    const known = evaluate(
      node,
      items.map((item) => item && this.#knownOf(item)),
    );
    if (known) return known.map(knownItem);
    const operands = items.map((item, i) => item && this.#valueOf(item, `Input ${i}`));
    const results = this.#apply(node, operands);
    this.#limit(results, operands);
    return results.map(valueItem);
  }

  #apply({ op, domain, attributes }: CanonicalNode, x: readonly (Value | undefined)[]): readonly Value[] {
    const name = domain === "" ? op : `${domain}:${op}`;
    const composite = Object.hasOwn(composites, name) ? composites[name] : undefined;
    if (composite) return composite({ g: this.#graph, x, a: attributes });
    if (domain !== "" || !Object.hasOwn(operators, op))
      mismatch(`${op} is supported only where its operands are known, and few`);
    if (x.includes(undefined)) mismatch("one of its inputs is left out");
    return this.#graph.apply(op, x as readonly Value[], attributes);
  }

  /** A file can ask for values of any size in few bytes. */
  #limit(values: readonly Value[], operands: readonly (Value | undefined)[]): void {
    const isFixed = operands.every((x) => !x || x.origin.kind === "constant" || this.#fixed.has(x));
    const largest = Math.max(0, ...operands.map((x) => (x ? elementCount(x.shape) : 0)));
    for (const value of values) {
      const count = elementCount(value.shape);
      if (isPacked(value.dtype)) mismatch(`it gives ${value.dtype}, which is read in weights only`);
      if (!(count <= maxOfValue)) mismatch(`it gives ${value}, more than ${maxOfValue} elements`);
      if (isFixed && value.origin.kind === "node") {
        this.#fixed.add(value);
        if (count > Math.max(largest, maxKnown)) constantShape(this.#graph, value.shape);
      }
    }
  }

  #runner(scope: Scope): Runner {
    return {
      opset: this.#opset,
      run: (graph, given) => this.#inner(graph, given, scope),
      compute: (op, items, attributes: Attributes = {}) =>
        this.#computed({ op, domain: "", inputs: [], outputs: [], attributes }, items)[0]!,
      known: (item) => this.#knownOf(item),
      shape: (item) => this.#shapeOf(item),
    };
  }

  #inner(graph: OnnxGraph, given: readonly Item[], outer: Scope): readonly Item[] {
    const scope = new Scope(outer);
    for (const [name, tensor] of graph.initializers) scope.bind(name, { kind: "held", name, tensor });
    graph.inputs.forEach(({ name }, i) => {
      if (given[i]) scope.bind(name, given[i]);
    });
    const wanted = graph.outputs.map(({ name }) => name);
    const nodes = neededNodes(graph, wanted);
    this.#unrolled += 1 + nodes.length;
    if (this.#unrolled > maxUnrolled) mismatch(`loops and branches come to more than ${maxUnrolled} nodes`);
    for (const node of nodes) this.add(node, scope);
    return wanted.map((name) => this.#item(name, scope, `The output ${name} of a subgraph`));
  }

  #item(name: string, scope: Scope, reader: string): Item {
    const found = scope.find(name);
    if (found) return found;
    throw new GraphError(`${reader} reads ${name}, which neither an input, a weight nor a node gives.`);
  }

  /** Sizes are static here, so that what a file computes from them is known. */
  #sizes(node: OnnxNode, item: Item | undefined): Item {
    const shape = item ? this.#shapeOf(item) : [];
    if (node.op === "Size") return knownItem({ dtype: "int64", shape: [], values: [elementCount(shape)] });
    const { start = 0, end = shape.length } = Object.fromEntries(
      Object.entries(node.attributes).map(([name, { value }]) => [name, value as number]),
    );
    const values = shape.slice(start, end);
    return knownItem({ dtype: "int64", shape: [values.length], values });
  }

  /** Casts to the other operand's type, which is known even if its elements are not. */
  #castLike(item: Item, like: Item): Item {
    const attributes = { to: this.#dtypeOf(like) };
    return this.#computed({ op: "Cast", domain: "", inputs: [], outputs: [], attributes }, [item])[0]!;
  }

  #dtypeOf(item: Item): DType {
    if (item.kind === "known") return item.known.dtype;
    return item.kind === "held" ? item.tensor.dtype : this.#valueOf(item, "An operand").dtype;
  }

  #filled({ attributes: { value } }: OnnxNode, shape: Item): Item {
    const tensor = value?.kind === "tensor" ? { ...value.value, shape: [] } : scalarTensor("float32", 0);
    const sizes = this.#knownOf(shape) ?? mismatch("its shape depends on the image, and must be known before");
    const attributes = { shape: sizes.values };
    return this.#computed({ op: "Expand", domain: "", inputs: [], outputs: [], attributes }, [
      { kind: "held", name: "", tensor },
    ])[0]!;
  }

  #shapeOf(item: Item): readonly number[] {
    if (item.kind === "known") return item.known.shape;
    return item.kind === "held" ? item.tensor.shape : this.#valueOf(item, "An operand").shape;
  }

  #valueOf(item: Item, what: string): Value {
    switch (item.kind) {
      case "value":
        return item.value;
      case "known":
        return this.#constant(item, () => tensorOf(item.known));
      case "held":
        return this.#weightOf(item) ?? this.#constant(item, () => item.tensor);
      default:
        throw new GraphError(
          `${what} is ${item.kind === "list" ? "a sequence" : "nothing"}, where a tensor is needed.`,
        );
    }
  }

  #constant(item: Item, tensor: () => Tensor): Value {
    const value = this.#constants.get(item) ?? this.#graph.constant(tensor());
    this.#constants.set(item, value);
    return value;
  }

  /** The value of a file's tensor in training; undefined for a tensor that stays as it is. */
  #weightOf(item: Item & { readonly kind: "held" }): Value | undefined {
    if (!this.#weights.has(item)) this.#weights.set(item, this.#weight(item.name, item.tensor));
    return this.#weights.get(item);
  }

  /** The elements of an item when they are known; a weight that stands for itself in training is not. */
  #knownOf(item: Item): Known | undefined {
    if (item.kind === "known") return item.known;
    if (item.kind !== "held") return undefined;
    const known = knownOf(item.tensor);
    return known && !this.#weightOf(item) ? known : undefined;
  }

  /** Operands that must be known before the model runs: never weights, whatever stands for those. */
  #tensorOf(item: Item | undefined): Tensor | undefined {
    if (item?.kind === "known") return tensorOf(item.known);
    return item?.kind === "held" ? item.tensor : undefined;
  }
}

/**
 * Runs an action and adds the node's name to its errors. Operands of the wrong number, rank or type may also raise
 * JavaScript's own errors.
 */
function told<T>(node: OnnxNode, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof Mismatch) throw new GraphError(`${describe(node)}: ${error.message}.`, { cause: error });
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new GraphError(`${describe(node)}: its operands or attributes do not fit (${error.message}).`, {
      cause: error,
    });
  }
}
