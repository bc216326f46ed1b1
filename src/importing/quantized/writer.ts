import { OnnxError, type OnnxModel, type OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../onnx/tensor.ts";
import { describe } from "../describe.ts";
import { producersOf } from "../needed.ts";
import { heldTensors } from "../weights.ts";
import { dequantized, type Quantization } from "./dequantize.ts";

/** What rewriting needs to know of the model, and the tensors that it makes. */
export class Writer {
  readonly added = new Map<string, Tensor>();
  readonly #held: ReadonlyMap<string, Tensor>;
  readonly #readers: ReadonlyMap<string, readonly OnnxNode[]>;
  readonly #producers: ReadonlyMap<string, OnnxNode>;
  /** Products with scales that weights have taken in: they become identities. */
  readonly #absorbed = new Set<OnnxNode>();

  constructor(model: OnnxModel) {
    const { nodes } = model.graph;
    this.#held = heldTensors(model);
    this.#producers = producersOf(nodes);
    const readers = new Map<string, OnnxNode[]>();
    for (const node of nodes) for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
    this.#readers = readers;
  }

  isInput(name: string): boolean {
    return !this.#producers.has(name) && !this.#held.has(name);
  }

  held(name: string | undefined): Tensor | undefined {
    return name ? this.#held.get(name) : undefined;
  }

  /** A setting of quantisation, which must be known. */
  setting(node: OnnxNode, place: number): Tensor {
    const found = this.held(node.inputs[place]);
    if (found) return found;
    throw new OnnxError(`${describe(node)}: its scale or zero point (input ${place}) is computed and must be constant`);
  }

  quantization(node: OnnxNode, scale: number, axis = 1): Quantization {
    const zeroPoint = node.inputs[scale + 1] ? this.setting(node, scale + 1) : undefined;
    return { scale: this.setting(node, scale), zeroPoint, axis };
  }

  /** The name of an operand in float32: of a held tensor made anew, of an activation its own. */
  operand(node: OnnxNode, place: number, scale = place + 1, axis = 1): string {
    const name = node.inputs[place]!;
    const tensor = this.held(name);
    if (!tensor || tensor.dtype.startsWith("float")) return name;
    return this.add(name, dequantized(tensor, this.quantization(node, scale, axis)));
  }

  add(name: string, tensor: Tensor): string {
    const fresh = `${name}_float32`;
    this.added.set(fresh, tensor);
    return fresh;
  }

  /**
   * The scale of a dynamically quantised product's weights: behind the product come a `Cast` and a product with the scales of
   * both operands, of which that of the activations is 1 here.
   */
  absorbedScale(product: OnnxNode): Tensor | undefined {
    const [cast] = this.#readers.get(product.outputs[0]!) ?? [];
    const [scaled] = (cast?.op === "Cast" && this.#readers.get(cast.outputs[0]!)) || [];
    const other = scaled?.inputs.find((name) => name !== cast?.outputs[0]);
    const scales = other === undefined ? undefined : this.#producers.get(other);
    if (scaled?.op !== "Mul" || scales?.op !== "Mul") return undefined;
    const scale = scales.inputs.map((name) => this.held(name)).find((tensor) => tensor);
    const isOurs = scales.inputs.some((name) => this.#producers.get(name)?.op === "DynamicQuantizeLinear");
    if (!scale || !isOurs) return undefined;
    this.#absorbed.add(scaled);
    return scale;
  }

  /** Of a product that only applies scales which weights have taken in already, the operand that is scaled. */
  absorbs(node: OnnxNode): string | undefined {
    if (!this.#absorbed.has(node)) return undefined;
    return node.inputs.find((name) => this.#producers.get(name)?.op === "Cast");
  }
}
