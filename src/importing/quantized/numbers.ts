import { int64Tensor, type OnnxAttribute, OnnxError, type OnnxNode, scalarTensor } from "../../onnx/index.ts";
import { elementCount, elementTypeOf, type Tensor } from "../../tensor/index.ts";
import { describe } from "../describe.ts";
import { dequantized, numbersIn, type Quantization } from "./dequantize.ts";
import { type Emitter, int } from "./emitter.ts";
import type { QuantizedFile } from "./file.ts";
import { type Meaning, rangeOf, sameSetting } from "./meaning.ts";

/** Names of a value's scale and zero point, and their axis where there are several. */
type Settings = Omit<Meaning, "float">;

/** Conversions between integers and their numbers, in standard operators on floats. */
export class Numbers {
  readonly #file: QuantizedFile;
  readonly #emit: Emitter;

  constructor(file: QuantizedFile, emitter: Emitter) {
    this.#file = file;
    this.#emit = emitter;
  }

  held(name: string | undefined): Tensor | undefined {
    return this.#file.held(name) ?? (name ? this.#emit.tensors.get(name) : undefined);
  }

  /** A held tensor of integers as float32, made once per quantisation. */
  weight(name: string, quantization: Quantization): string {
    const { scale, zeroPoint, axis } = quantization;
    const key = `weight ${name} ${numbersIn(scale)} ${zeroPoint ? numbersIn(zeroPoint) : ""} ${axis}`;
    return this.#emit.once(key, () =>
      this.#emit.tensor(`${name}_float32`, dequantized(this.held(name)!, quantization)),
    );
  }

  /** Integers of a value minus a zero point, as floats. */
  centred(node: OnnxNode, name: string, zeroPoint: string | undefined, axis: number, meaning?: Meaning): string {
    if (!meaning) return this.#less(node, this.#float(name), zeroPoint, axis, name);
    const numbers = this.#isOne(meaning.scale)
      ? meaning.float
      : this.#emit.node("Div", [meaning.float, this.#along(node, meaning.scale, meaning.axis, name)]);
    if (this.isSame(meaning.zeroPoint, zeroPoint, meaning.axis, axis)) return numbers;
    const integers = this.#plus(node, numbers, meaning, name);
    return this.#less(node, integers, zeroPoint, axis, name);
  }

  scaled(node: OnnxNode, centred: string, scale: string, axis: number, name: string, output?: string): string {
    return this.#emit.node("Mul", [centred, this.#along(node, scale, axis, name)], {}, output);
  }

  /** Computes a value's integers: rounded to even, saturated. */
  integers(node: OnnxNode, meaning: Meaning, like: string, output: string): void {
    const { float, scale, axis, dtype } = meaning;
    const scaled = this.#isOne(scale) ? float : this.#emit.node("Div", [float, this.#along(node, scale, axis, like)]);
    const shifted = this.#plus(node, this.#emit.node("Round", [scaled]), meaning, like);
    const range = rangeOf(dtype);
    const clipped = range ? this.#clipped(shifted, range[0], range[1]) : shifted;
    this.#emit.node("Cast", [clipped], { to: int(elementTypeOf(dtype)) }, output);
  }

  /** A float clipped to the range of its integers. */
  saturated(node: OnnxNode, float: string, settings: Settings, output: string): string {
    const { scale, zeroPoint, axis, dtype } = settings;
    const like = node.inputs[0]!;
    const range = rangeOf(dtype);
    if (!range) throw new OnnxError(`${describe(node)}: quantising to ${dtype} is not supported`);
    const [scales, zeros] = [this.held(scale), this.held(zeroPoint)];
    if (!scales || (zeroPoint && !zeros)) {
      const [low, high] = range.map((end) => {
        const integer = this.#less(node, this.#emit.scalar(end), zeroPoint, axis, like);
        return this.scaled(node, integer, scale, axis, like);
      });
      return this.#between(float, low!, high!, output);
    }
    const [steps, zero] = [numbersIn(scales), zeros ? numbersIn(zeros) : [0]];
    const bounds = range.map((end) => steps.map((step, i) => (end - (zero[i] ?? zero[0]!)) * step));
    const [[low], [high]] = bounds as [[number], [number]];
    if (steps.length === 1) return this.#clipped(float, low, high, output);
    const shaped = bounds.map((values) => {
      const tensor: Tensor = { dtype: "float32", shape: [values.length], data: Float32Array.from(values) };
      return this.#shaped(node, this.#emit.tensor(`${output}_bound`, tensor), axis, like);
    });
    return this.#between(float, shaped[0]!, shaped[1]!, output);
  }

  /** Whether two settings are the same value or hold the same numbers, along the same axis where there are several. */
  isSame(one: string | undefined, other: string | undefined, axis = 0, otherAxis = axis): boolean {
    const [p, q] = [this.held(one), this.held(other)];
    if (axis !== otherAxis && p && elementCount(p.shape) > 1) return false;
    if ((one ?? "") === (other ?? "")) return true;
    return (!one || p !== undefined) && (!other || q !== undefined) && sameSetting(p, q);
  }

  #isOne(scale: string): boolean {
    const tensor = this.held(scale);
    return tensor !== undefined && numbersIn(tensor).every((value) => value === 1);
  }

  #between(x: string, low: string, high: string, output?: string): string {
    return this.#emit.node("Min", [this.#emit.node("Max", [x, low]), high], {}, output);
  }

  /** `Clip`, whose derivative is 1 at its bounds, in the form of the opset: before 11 or from 11 on. */
  #clipped(x: string, low: number, high: number, output?: string): string {
    if (this.#file.opset >= 11)
      return this.#emit.node("Clip", [x, this.#emit.scalar(low), this.#emit.scalar(high)], {}, output);
    const float = (value: number): OnnxAttribute => ({ kind: "float", value });
    return this.#emit.node("Clip", [x], { min: float(low), max: float(high) }, output);
  }

  #less(node: OnnxNode, x: string, zeroPoint: string | undefined, axis: number, like: string): string {
    if (!zeroPoint) return x;
    return this.#emit.node("Sub", [x, this.#float(this.#along(node, zeroPoint, axis, like))]);
  }

  #plus(node: OnnxNode, x: string, { zeroPoint, axis }: Settings, like: string): string {
    if (!zeroPoint) return x;
    return this.#emit.node("Add", [x, this.#float(this.#along(node, zeroPoint, axis, like))]);
  }

  /** Integers as floats of the same value. */
  #float(name: string): string {
    const tensor = this.held(name);
    if (tensor?.dtype === "float32") return name;
    if (tensor) return this.weight(name, { scale: scalarTensor("float32", 1), zeroPoint: undefined, axis: 0 });
    return this.#emit.once(`float ${name}`, () =>
      this.#emit.node("Cast", [name], { to: int(elementTypeOf("float32")) }),
    );
  }

  /** A setting in a shape that broadcasts against a value along an axis; one number becomes a scalar. */
  #along(node: OnnxNode, setting: string, axis: number, like: string): string {
    const tensor = this.held(setting);
    if (tensor?.shape.length === 0) return setting;
    // A computed setting must be one number for the whole tensor. Otherwise it does not fit this shape.
    if (!tensor)
      return this.#emit.once(`scalar of ${setting}`, () => this.#emit.node("Reshape", [setting, this.#noAxes()]));
    if (elementCount(tensor.shape) !== 1) return this.#shaped(node, setting, axis, like);
    return this.#emit.once(`scalar of ${setting}`, () =>
      this.#emit.tensor(`${setting}_scalar`, { ...tensor, shape: [] }),
    );
  }

  #noAxes(): string {
    return this.#emit.once("no axes", () => this.#emit.tensor("no_axes", int64Tensor([])));
  }

  #shaped(node: OnnxNode, setting: string, axis: number, like: string): string {
    const tensor = this.held(setting)!;
    if (tensor.shape.length > 1) return setting;
    const rank = this.#file.rankOf(like);
    if (rank === undefined && axis >= 0)
      throw new OnnxError(
        `${describe(node)}: quantised by channel, and the file does not say how many axes ${like} has`,
      );
    const behind = axis < 0 ? -axis - 1 : rank! - axis - 1;
    const shape = [...tensor.shape, ...Array.from({ length: behind }, () => 1)];
    return this.#emit.once(`shaped ${setting} ${behind}`, () =>
      this.#emit.tensor(`${setting}_shaped`, { ...tensor, shape }),
    );
  }
}
