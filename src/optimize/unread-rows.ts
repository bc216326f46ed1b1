import type { Node, Value } from "../graph/index.ts";
import { int, ints, product, range, reachable } from "../graph/index.ts";
import { elementCount } from "../tensor/index.ts";
import { applied } from "./rewrite.ts";
import { axisOf, type Part, partOfOperand, partShape, samePart, takePart } from "./row-range.ts";

/** The part of a value that is read. */
type Demand = Part | "all";

/**
 * Rows that nobody reads are not computed: where all readers of a value take the same slice of it, the slice moves
 * before the operators that treat rows alone. In a vision transformer whose class token is the embedding, that leaves
 * out most of the last block, forward and, since derivatives follow, backward.
 *
 * @returns values equal to the given ones, in the same graph
 */
export function withoutUnreadRows(values: readonly Value[]): readonly Value[] {
  const { nodes } = reachable(values);
  return new Rebuilt(demandsOf(nodes, values)).all(nodes, values);
}

/** How much of each value its readers take together. */
function demandsOf(nodes: readonly Node[], outputs: readonly Value[]): ReadonlyMap<Value, Demand> {
  const demands = new Map<Value, Demand>(outputs.map((value) => [value, "all"]));
  const demand = (value: Value, wanted: Demand): void => {
    const known = demands.get(value);
    const same = known === undefined || (known !== "all" && wanted !== "all" && samePart(known, wanted));
    demands.set(value, same ? wanted : "all");
  };
  for (const node of nodes.toReversed()) {
    const passed = passedOn(node, demands);
    if (!passed) for (const output of node.outputs) demands.set(output, "all");
    node.inputs.forEach((input, i) => {
      demand(input, passed?.[i] ?? selected(node, i) ?? "all");
    });
  }
  return demands;
}

/** The parts of its inputs that a node needs to compute a part; undefined where it must compute everything. */
function passedOn(node: Node, demands: ReadonlyMap<Value, Demand>): readonly Demand[] | undefined {
  const [y, ...others] = node.outputs;
  const wanted = demands.get(y!);
  if (wanted === undefined || wanted === "all" || others.some((value) => demands.has(value))) return undefined;
  if (!axisOf(y!.shape, wanted)) return undefined;
  const parts = rowWise[node.op]?.(node, wanted);
  const possible = parts?.every(
    (part, i) => part !== undefined && (part === "all" || axisOf(node.inputs[i]!.shape, part)),
  );
  return possible ? (parts as readonly Demand[]) : undefined;
}

/** The part that a slice along one axis takes of its input. */
function selected({ op, inputs: [x], attributes: a }: Node, input: number): Part | undefined {
  if (op !== "Slice" || input > 0 || ints(a, "axes").length !== 1 || ints(a, "steps")[0] !== 1) return undefined;
  const [axis, start, end] = [ints(a, "axes")[0]!, ints(a, "starts")[0]!, ints(a, "ends")[0]!];
  const { shape } = x!;
  return {
    outer: product(shape.slice(0, axis)),
    size: shape[axis]!,
    inner: product(shape.slice(axis + 1)),
    start,
    end,
  };
}

/** Parts of a node's inputs that make the wanted part of its first output. */
type RowWise = (node: Node, wanted: Part) => readonly (Demand | undefined)[];

const elementWise: RowWise = ({ inputs, outputs: [y] }, wanted) =>
  inputs.map((input) => partOfOperand(input, y!, wanted));

const sameMemory: RowWise = (_, wanted) => [wanted];

/** Rows stay apart unless the part lies along the axis itself. */
const alongAxis: RowWise = ({ outputs: [y], attributes: a }, wanted) => [
  axisOf(y!.shape, wanted)!.axis === int(a, "axis") ? undefined : wanted,
];

/** The operand whose rows become the product's; the other is needed as a whole. */
function leftOperand([left]: readonly Value[], y: Value, wanted: Part): Part {
  const inner = (wanted.inner / y.shape.at(-1)!) * left!.shape.at(-1)!;
  return { ...wanted, inner, outer: elementCount(left!.shape) / (wanted.size * inner) };
}

const rowWise: Readonly<Record<string, RowWise>> = {
  ...Object.fromEntries(
    ["Add", "Sub", "Mul", "Div", "Gelu", "Swish", "Sigmoid", "Tanh", "Relu", "Erf", "Exp", "Identity"].map((op) => [
      op,
      elementWise,
    ]),
  ),
  Reshape: sameMemory,
  Flatten: sameMemory,
  Squeeze: sameMemory,
  Unsqueeze: sameMemory,
  Softmax: alongAxis,
  LogSoftmax: alongAxis,
  LayerNormalization: ({ inputs: [x, ...affine], attributes: a }, wanted) => {
    const own = axisOf(x!.shape, wanted)!.axis < x!.rank + int(a, "axis");
    return [own ? wanted : undefined, ...affine.map((value) => (value.rank <= -int(a, "axis") ? "all" : undefined))];
  },
  Gemm: ({ inputs, outputs: [y], attributes: a }, wanted) => {
    const rows = axisOf(y!.shape, wanted)!.axis === 0 && !int(a, "transA");
    const bias = inputs[2] && partOfOperand(inputs[2], y!, wanted);
    return [rows ? leftOperand(inputs, y!, wanted) : undefined, "all", ...(bias ? [bias] : [])];
  },
  MatMul: ({ inputs, outputs: [y] }, wanted) => {
    const [left, right] = inputs as readonly [Value, Value];
    const { axis } = axisOf(y!.shape, wanted)!;
    const rows = left.rank === y!.rank && (axis === y!.rank - 2 || (axis < y!.rank - 2 && right.rank === 2));
    return [rows ? leftOperand(inputs, y!, wanted) : undefined, "all"];
  },
  Transpose: ({ inputs: [x], outputs: [y], attributes: a }, wanted) => {
    const { axis, rows, whole } = axisOf(y!.shape, wanted)!;
    if (!whole || rows !== 1) return [undefined];
    const from = ints(a, "perm")[axis]!;
    const [outer, inner] = [product(x!.shape.slice(0, from)), product(x!.shape.slice(from + 1))];
    return [{ ...wanted, outer, inner }];
  },
};

/** The graph once more, each value reduced to what is read of it. */
class Rebuilt {
  readonly #demands: ReadonlyMap<Value, Demand>;
  readonly #made = new Map<Value, Value>();

  constructor(demands: ReadonlyMap<Value, Demand>) {
    this.#demands = demands;
  }

  all(nodes: readonly Node[], values: readonly Value[]): readonly Value[] {
    for (const node of nodes) this.#rebuild(node);
    return values.map((value) => this.#get(value, "all"));
  }

  #rebuild(node: Node): void {
    const { op, inputs, outputs, attributes } = node;
    const passed = passedOn(node, this.#demands);
    const part = selected(node, 0);
    if (!passed && part && this.#demands.get(inputs[0]!) !== "all") {
      this.#made.set(outputs[0]!, this.#get(inputs[0]!, part));
      return;
    }
    const values = inputs.map((input, i) => this.#get(input, passed?.[i] ?? "all"));
    const [y] = outputs;
    const shape = passed && op === "Reshape" ? { shape: partShape(y!.shape, this.#demands.get(y!) as Part) } : {};
    const made = applied(op, values, { ...attributes, ...shape });
    for (const i of range(outputs.length)) this.#made.set(outputs[i]!, made[i]!);
  }

  /** The wanted part of a value of which at least that much was kept. */
  #get(value: Value, wanted: Demand): Value {
    const made = this.#made.get(value) ?? value;
    if (wanted === "all") return made;
    const kept = value.origin.kind === "node" ? this.#demands.get(value)! : "all";
    return kept === "all" ? takePart(made, wanted) : made;
  }
}
