import type { OnnxModel, OnnxNode } from "../../onnx/index.ts";
import type { DType, Tensor } from "../../tensor/index.ts";
import { dtypeOfElementType } from "../../tensor/index.ts";
import { namesRead, producersOf } from "../needed.ts";
import { heldTensors } from "../weights.ts";

/** Queries about a quantised file. */
export class QuantizedFile {
  readonly producers: ReadonlyMap<string, OnnxNode>;
  readonly #model: OnnxModel;
  readonly #held: ReadonlyMap<string, Tensor>;
  readonly #readers = new Map<string, (readonly [node: OnnxNode, place: number])[]>();
  /** Values that outputs of the model or nodes of subgraphs read. */
  readonly #elsewhere: ReadonlySet<string>;

  constructor(model: OnnxModel) {
    const { nodes, outputs } = model.graph;
    this.#model = model;
    this.#held = heldTensors(model);
    this.producers = producersOf(nodes);
    for (const node of nodes)
      node.inputs.forEach((name, place) => {
        this.#readers.set(name, [...(this.#readers.get(name) ?? []), [node, place]]);
      });
    const inner = namesRead(nodes.map((node) => ({ ...node, inputs: [] })));
    this.#elsewhere = new Set([...outputs.map(({ name }) => name), ...inner]);
  }

  get opset(): number {
    return this.#model.opsets.get("") ?? 0;
  }

  /** Every name that the file gives to a value. */
  get names(): readonly string[] {
    const { initializers, inputs } = this.#model.graph;
    return [...initializers.keys(), ...inputs.map(({ name }) => name), ...this.producers.keys()];
  }

  held(name: string | undefined): Tensor | undefined {
    return name ? this.#held.get(name) : undefined;
  }

  readersOf(name: string): readonly (readonly [node: OnnxNode, place: number])[] {
    return this.#readers.get(name) ?? [];
  }

  /** Whether a value is a model output, is read in a subgraph, or is read by a node that does not pass `knows`. */
  isReadAsIs(name: string, knows: (node: OnnxNode, place: number) => boolean): boolean {
    return this.#elsewhere.has(name) || this.readersOf(name).some(([node, place]) => !knows(node, place));
  }

  /** The number of axes of a value, where the file states it. */
  rankOf(name: string): number | undefined {
    const { inputs, valueInfo = [], outputs } = this.#model.graph;
    const info = [...inputs, ...valueInfo, ...outputs].find((one) => one.name === name && !one.unranked);
    return this.held(name)?.shape.length ?? info?.shape.length;
  }

  /** The element type of a value, where it is stated or evident. */
  dtypeOf(name: string | undefined): DType | undefined {
    if (!name) return undefined;
    const producer = this.producers.get(name);
    if (producer?.op === "DynamicQuantizeLinear") return "uint8";
    const { to } = producer?.attributes ?? {};
    if (producer?.op === "Cast" && to?.kind === "int") return dtypeOfElementType(to.value);
    return this.held(name)?.dtype ?? this.#model.graph.inputs.find((input) => input.name === name)?.dtype;
  }
}
