import { heldTensors } from "../../importing/index.ts";
import { constantValue, numbersOf, type OnnxModel, type OnnxNode } from "../../onnx/index.ts";
import { allocate, elementCount, type Tensor } from "../../tensor/index.ts";

/** The origins of a graph's values: the node that makes one, or a constant known without running it. */
export class Producers {
  readonly #nodes: ReadonlyMap<string, OnnxNode>;
  readonly #held: ReadonlyMap<string, Tensor>;

  constructor(model: OnnxModel) {
    this.#nodes = new Map(model.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
    this.#held = heldTensors(model);
  }

  node(name: string | undefined): OnnxNode | undefined {
    return name ? this.#nodes.get(name) : undefined;
  }

  /**
   * A tensor of the file, also behind nodes that transpose or reshape it, as exporters of linear layers leave them;
   * undefined where it is computed from the input, or otherwise.
   *
   * @param farthest nodes that are looked through, so that a cyclic graph ends too
   */
  constant(name: string | undefined, farthest = 16): Tensor | undefined {
    if (!name || farthest === 0) return undefined;
    const held = this.#held.get(name);
    const node = this.#nodes.get(name);
    if (held || !node || node.domain !== "") return held;
    const known = constantValue(node);
    if (known) return known;
    const arrange = arrangements[node.op];
    const given = arrange && this.constant(node.inputs[0], farthest - 1);
    return given && arrange(given, (attribute) => this.numbers(node, attribute));
  }

  /** Whole numbers that are an attribute, or since a later opset the second input. */
  numbers(node: OnnxNode, attribute: string): readonly number[] | undefined {
    const value = node.attributes[attribute];
    if (value?.kind === "ints") return value.value;
    if (value?.kind === "int") return [value.value];
    const tensor = attribute === "perm" ? undefined : this.constant(node.inputs[1]);
    return tensor?.dtype === "int64" ? numbersOf(tensor) : undefined;
  }
}

type Arrange = (tensor: Tensor, numbers: (attribute: string) => readonly number[] | undefined) => Tensor | undefined;

const arrangements: Readonly<Record<string, Arrange>> = {
  Identity: (tensor) => tensor,
  Transpose: (tensor, numbers) =>
    tensor.dtype === "float32" && tensor.shape.length === 2 && numbers("perm")?.join() !== "0,1"
      ? transposed(tensor as Tensor<"float32">)
      : undefined,
  Reshape: (tensor, numbers) => {
    const shape = numbers("shape")?.map((size, axis) => (size === 0 ? tensor.shape[axis]! : size));
    if (!shape) return undefined;
    const rest = elementCount(tensor.shape) / shape.reduce((product, size) => product * (size < 0 ? 1 : size), 1);
    return { ...tensor, shape: shape.map((size) => (size < 0 ? rest : size)) };
  },
  Flatten: (tensor, numbers) => {
    const [axis = 1] = numbers("axis") ?? [];
    const [before, after] = [tensor.shape.slice(0, axis), tensor.shape.slice(axis)];
    return { ...tensor, shape: [elementCount(before), elementCount(after)] };
  },
  Squeeze: (tensor, numbers) => {
    const { length } = tensor.shape;
    const axes = numbers("axes")?.map((axis) => (axis + length) % length);
    return { ...tensor, shape: tensor.shape.filter((size, axis) => size !== 1 || (axes && !axes.includes(axis))) };
  },
  Unsqueeze: (tensor, numbers) => {
    const added = numbers("axes");
    if (!added) return undefined;
    const length = tensor.shape.length + added.length;
    const axes = added.map((axis) => (axis + length) % length);
    const sizes = [...tensor.shape];
    return { ...tensor, shape: Array.from({ length }, (_, axis) => (axes.includes(axis) ? 1 : sizes.shift()!)) };
  },
};

/** A matrix with rows and columns exchanged. */
export function transposed({ shape, data }: Tensor<"float32">): Tensor<"float32"> {
  const [rows, columns] = shape as readonly [number, number];
  const turned = allocate("float32", [columns, rows]);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j]!;
  return { dtype: "float32", shape: [columns, rows], data: turned };
}
