import { OnnxError, type OnnxModel, type OnnxNode } from "../../onnx/index.ts";
import type { DType, Tensor } from "../../tensor/index.ts";
import { describe } from "../describe.ts";
import { AbsorbedScales } from "./absorbed.ts";
import type { Quantization } from "./dequantize.ts";
import { Emitter } from "./emitter.ts";
import { QuantizedFile } from "./file.ts";
import type { Meaning } from "./meaning.ts";
import { Numbers } from "./numbers.ts";

/** Whether a node reads the input at this position as the number that its integers represent. */
export type Knows = (node: OnnxNode, place: number, file: QuantizedFile) => boolean;

/** Writes the float graph of a quantised one: the float of each quantised value, and its integers where they are read. */
export class Writer {
  readonly file: QuantizedFile;
  readonly emit: Emitter;
  readonly numbers: Numbers;
  readonly absorbed: AbsorbedScales;
  readonly #knows: Knows;
  readonly #meanings = new Map<string, Meaning>();

  constructor(model: OnnxModel, knows: Knows) {
    this.file = new QuantizedFile(model);
    this.emit = new Emitter(this.file.names);
    this.numbers = new Numbers(this.file, this.emit);
    this.absorbed = new AbsorbedScales(this.file);
    this.#knows = knows;
  }

  meaning(name: string | undefined): Meaning | undefined {
    return name ? this.#meanings.get(name) : undefined;
  }

  /** A setting of quantisation that must be known. */
  setting(node: OnnxNode, place: number): Tensor {
    const found = this.numbers.held(node.inputs[place]);
    if (found) return found;
    throw new OnnxError(`${describe(node)}: its scale or zero point (input ${place}) is computed and must be constant`);
  }

  quantization(node: OnnxNode, scale: number, axis = 1): Quantization {
    const zeroPoint = node.inputs[scale + 1] ? this.setting(node, scale + 1) : undefined;
    return { scale: this.setting(node, scale), zeroPoint, axis };
  }

  /**
   * An operand as a float.
   *
   * @param scale the place of its scale, with the zero point behind it
   * @param axis which one scales are along, where they are several
   */
  operand(node: OnnxNode, place: number, scale = place + 1, axis = 1): string {
    const name = node.inputs[place]!;
    const [step, zeroPoint] = [node.inputs[scale]!, node.inputs[scale + 1] || undefined];
    const tensor = this.file.held(name);
    if (tensor?.dtype.startsWith("float")) return name;
    if (tensor && this.numbers.held(step) && (!zeroPoint || this.numbers.held(zeroPoint)))
      return this.numbers.weight(name, this.quantization(node, scale, axis));
    const meaning = this.#meanings.get(name);
    if (meaning && this.isMeant(meaning, step, zeroPoint, axis)) return meaning.float;
    return this.numbers.scaled(node, this.centred(node, place, scale + 1, axis), step, axis, name);
  }

  /** Whether any node reads a value's float. */
  isMeant(meaning: Meaning, scale: string, zeroPoint: string | undefined, axis: number): boolean {
    return (
      this.numbers.isSame(meaning.scale, scale, meaning.axis, axis) &&
      this.numbers.isSame(meaning.zeroPoint, zeroPoint, meaning.axis, axis)
    );
  }

  /** An operand's integers minus its zero point, as floats. */
  centred(node: OnnxNode, place: number, zeroPoint: number, axis: number): string {
    const name = node.inputs[place]!;
    return this.numbers.centred(node, name, node.inputs[zeroPoint] || undefined, axis, this.#meanings.get(name));
  }

  /**
   * Sets the meaning of the first output: a float, saturated at the ends of its integer range.
   *
   * @param scale the place of its scale among the inputs, with the zero point behind it
   */
  quantized(node: OnnxNode, float: string, scale: number, { dtype = "uint8" as DType, axis = 1 } = {}): void {
    const zeroPoint = node.inputs[scale + 1] || undefined;
    const type = this.file.dtypeOf(zeroPoint) ?? dtype;
    const settings = { scale: node.inputs[scale]!, zeroPoint, axis, dtype: type };
    const output = node.outputs[0]!;
    const saturated = this.numbers.saturated(node, float, settings, this.emit.fresh(`${output}_float32`));
    this.mean(node, output, { ...settings, float: saturated });
  }

  /** Sets the meaning of an output, and computes its integers where they are read. */
  mean(node: OnnxNode, output: string, meaning: Meaning): void {
    this.#meanings.set(output, meaning);
    if (this.isReadAsIntegers(output)) this.numbers.integers(node, meaning, node.inputs[0]!, output);
  }

  isReadAsIntegers(name: string): boolean {
    return this.file.isReadAsIs(name, (node, place) => this.#knows(node, place, this.file));
  }
}
