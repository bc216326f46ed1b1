import type { OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { QuantizedFile } from "./file.ts";

/** Scales behind products of integers that weights have taken in: the products with them become identities. */
export class AbsorbedScales {
  readonly #file: QuantizedFile;
  readonly #products = new Set<OnnxNode>();

  constructor(file: QuantizedFile) {
    this.#file = file;
  }

  /**
   * The scale of a dynamically quantised product's weights: behind the product come a `Cast` and a product with the scales of
   * both operands, of which that of the activations is 1 here. It must be for the weights to take in alone.
   */
  scaleOf(product: OnnxNode): Tensor | undefined {
    const cast = this.#onlyReader(product.outputs[0]!);
    const scaled = cast?.op === "Cast" ? this.#onlyReader(cast.outputs[0]!) : undefined;
    const other = scaled?.inputs.find((name) => name !== cast?.outputs[0]);
    const scales = other === undefined ? undefined : this.#file.producers.get(other);
    if (scaled?.op !== "Mul" || scales?.op !== "Mul") return undefined;
    const scale = scales.inputs.map((name) => this.#file.held(name)).find((tensor) => tensor);
    const isOurs = scales.inputs.some((name) => this.#file.producers.get(name)?.op === "DynamicQuantizeLinear");
    if (!scale || !isOurs) return undefined;
    this.#products.add(scaled);
    return scale;
  }

  /** Of a product that only applies scales which weights have taken in already, the operand that is scaled. */
  operandOf(node: OnnxNode): string | undefined {
    if (!this.#products.has(node)) return undefined;
    return node.inputs.find((name) => this.#file.producers.get(name)?.op === "Cast");
  }

  #onlyReader(name: string): OnnxNode | undefined {
    const readers = this.#file.readersOf(name);
    return readers.length === 1 && !this.#file.isReadAsIs(name, () => true) ? readers[0]![0] : undefined;
  }
}
