import type { OnnxNode } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import { dtypeOfElementType } from "../../tensor/index.ts";
import type { QuantizedFile } from "./file.ts";

/** Products of integers. Their sums are read as floats, and as int32 by any node other than a `Cast`. */
export const integerProducts: ReadonlySet<string> = new Set(["MatMulInteger", "ConvInteger"]);

/** Products that scale their own sums: the inputs that hold the scale and zero point of their activations. */
const scaledProducts: Readonly<Record<string, { readonly scale: number; readonly zeroPoint: number }>> = {
  MatMulIntegerToFloat: { scale: 2, zeroPoint: 4 },
  QAttention: { scale: 3, zeroPoint: 6 },
};

export const castsToFloat = ({ op, attributes: { to } }: OnnxNode): boolean =>
  op === "Cast" && to?.kind === "int" && (dtypeOfElementType(to.value)?.startsWith("float") ?? false);

/** The node that scales a product of integers, by the scale itself or by its product with another. */
interface Scaling {
  readonly scaled: OnnxNode;
  readonly factor?: OnnxNode;
}

/**
 * Activations with a scale of 1 and a zero point of 0, which are their own integers. Only products of integers read them, and
 * each product applies the scale once. Also the scales that the weights of such products have absorbed.
 */
export class AbsorbedScales {
  readonly #file: QuantizedFile;
  readonly #served = new Map<OnnxNode, boolean>();
  readonly #products = new Map<OnnxNode, string>();

  constructor(file: QuantizedFile) {
    this.#file = file;
  }

  /** Whether only products of integers use a `DynamicQuantizeLinear`, so that dropping its scale changes nothing. */
  serves(node: OnnxNode): boolean {
    const served = this.#served.get(node) ?? this.#findServes(node);
    this.#served.set(node, served);
    return served;
  }

  /**
   * The scale of a dynamically quantised product's weights: behind the product come a `Cast` and a product with the scales of
   * both operands, of which that of the activations is 1 here. It must be for the weights to take in alone.
   */
  scaleOf(product: OnnxNode): Tensor | undefined {
    const quantizer = this.#file.producers.get(product.inputs[0]!);
    if (quantizer?.op !== "DynamicQuantizeLinear" || !this.serves(quantizer)) return undefined;
    const cast = this.#onlyReader(product.outputs[0]!);
    const { scaled, factor } = this.#scalingOf(product, quantizer.outputs[1]!) ?? {};
    if (!cast || !scaled || !factor || !scaled.inputs.includes(cast.outputs[0]!)) return undefined;
    const scale = factor.inputs.map((name) => this.#file.held(name)).find((tensor) => tensor);
    if (scale) this.#products.set(scaled, cast.outputs[0]!);
    return scale;
  }

  /** The scaled operand of a product that only applies scales which the weights have absorbed already. */
  operandOf(node: OnnxNode): string | undefined {
    return this.#products.get(node);
  }

  #findServes({ outputs: [y = "", scale = "", zeroPoint = ""] }: OnnxNode): boolean {
    const file = this.#file;
    const products = new Set(file.readersOf(y).map(([reader]) => reader));
    const scalings = [...products].map((product) => this.#scalingOf(product, scale));
    const scaled = new Set(scalings.map((scaling) => scaling?.scaled));
    const factors = new Set(scalings.flatMap((scaling) => scaling?.factor ?? []));
    const isServed = (product: OnnxNode, i: number): boolean => {
      const places = scaledProducts[product.op];
      if (places) return product.inputs[places.scale] === scale && product.inputs[places.zeroPoint] === zeroPoint;
      return product.inputs[2] === zeroPoint && scalings[i] !== undefined;
    };
    const isScale = (reader: OnnxNode, place: number): boolean =>
      factors.has(reader) || scaled.has(reader) || (products.has(reader) && place === scaledProducts[reader.op]?.scale);
    const isZeroPoint = (reader: OnnxNode, place: number): boolean =>
      products.has(reader) && place === (scaledProducts[reader.op]?.zeroPoint ?? 2);
    return (
      [...products].every(isServed) &&
      !file.isReadAsIs(y, (_, place) => place === 0) &&
      !file.isReadAsIs(zeroPoint, isZeroPoint) &&
      !file.isReadAsIs(scale, isScale) &&
      [...factors].every((node) => !scaled.has(node) && !file.isReadAsIs(node.outputs[0]!, (by) => scaled.has(by)))
    );
  }

  /** Products with a scale commute, so others may come before this one. Other operators may not. */
  #scalingOf(product: OnnxNode, scale: string): Scaling | undefined {
    const cast = integerProducts.has(product.op) ? this.#onlyReader(product.outputs[0]!) : undefined;
    if (!cast || !castsToFloat(cast)) return undefined;
    let name = cast.outputs[0]!;
    for (let node = this.#onlyReader(name); node?.op === "Mul"; node = this.#onlyReader(name)) {
      const other = node.inputs.find((input) => input !== name)!;
      const factor = this.#file.producers.get(other);
      if (other === scale) return { scaled: node };
      if (factor?.op === "Mul" && factor.inputs.filter((input) => input === scale).length === 1)
        return { scaled: node, factor };
      name = node.outputs[0]!;
    }
    return undefined;
  }

  #onlyReader(name: string): OnnxNode | undefined {
    const readers = this.#file.readersOf(name);
    return readers.length === 1 && !this.#file.isReadAsIs(name, () => true) ? readers[0]![0] : undefined;
  }
}
