import type { OnnxAttribute, OnnxNode } from "../../onnx/index.ts";
import { scalarTensor } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";

export const int = (value: number): OnnxAttribute => ({ kind: "int", value });

/** New nodes of standard operators and new tensors, under unused names. */
export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly tensors = new Map<string, Tensor>();
  readonly #taken: Set<string>;
  readonly #made = new Map<string, string>();

  constructor(taken: Iterable<string>) {
    this.#taken = new Set(taken);
  }

  /** Adds a node and gives the name of its result. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: OnnxNode["attributes"] = {},
    output = this.fresh(op),
  ): string {
    this.nodes.push({ op, domain: "", name: output, inputs, outputs: [output], attributes });
    return output;
  }

  tensor(hint: string, tensor: Tensor): string {
    const name = this.fresh(hint);
    this.tensors.set(name, tensor);
    return name;
  }

  /** A scalar of float32. */
  scalar(value: number): string {
    return this.once(`scalar ${value}`, () => this.tensor("scalar_float32", scalarTensor("float32", value)));
  }

  /** Nodes that are made once and shared. */
  once(key: string, make: () => string): string {
    const name = this.#made.get(key) ?? make();
    this.#made.set(key, name);
    return name;
  }

  fresh(hint: string): string {
    let name = hint;
    for (let i = 1; this.#taken.has(name); i++) name = `${hint}_${i}`;
    this.#taken.add(name);
    return name;
  }
}
