import {
  allocate,
  bytesOf,
  type DType,
  describeType,
  elementCount,
  fromHalf,
  type Tensor,
  toHalf,
} from "../tensor/index.ts";
import { OnnxError } from "./errors.ts";
import type { OnnxAttribute, OnnxNode } from "./model.ts";

/** A one-dimensional int64 tensor. */
export function int64Tensor(values: readonly number[], shape: readonly number[] = [values.length]): Tensor<"int64"> {
  const fraction = values.find((value) => !Number.isInteger(value));
  if (fraction !== undefined) throw new OnnxError(`an int64 constant cannot hold ${fraction}`);
  return { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}

/** A one-dimensional float32 tensor. */
export function float32Tensor(values: readonly number[]): Tensor<"float32"> {
  return { dtype: "float32", shape: [values.length], data: Float32Array.from(values) };
}

/** A zero-dimensional tensor of this type. */
export function scalarTensor(dtype: DType, value: number): Tensor {
  return tensorOfNumbers(dtype, [], [value]);
}

/**
 * A tensor of this type with these elements.
 *
 * @throws OnnxError when a 64-bit integer would not be whole
 */
export function tensorOfNumbers<D extends DType>(
  dtype: D,
  shape: readonly number[],
  values: readonly number[],
): Tensor<D> {
  const data = allocate(dtype, [values.length]);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const fraction = values.find((value) => !Number.isInteger(value));
    if (fraction !== undefined) throw new OnnxError(`an ${dtype} constant cannot hold ${fraction}`);
    for (const [i, value] of values.entries()) data[i] = BigInt(value);
  } else {
    const convert = dtype === "float16" ? toHalf : (value: number) => value;
    for (const [i, value] of values.entries()) (data as Float64Array)[i] = convert(value);
  }
  return { dtype, shape, data };
}

/** The nearest number that JavaScript counts exactly: ONNX writes INT64_MAX for "to the end", and 2^53 - 1 does as well. */
export function safeInteger(value: bigint): number {
  const largest = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(value > largest ? largest : value < -largest ? -largest : value);
}

/** The elements of a (small) tensor as numbers, int64 limited to what numbers count exactly. */
export function numbersOf({ dtype, data }: Tensor): number[] {
  if (dtype === "float16") return Array.from(data as Uint16Array, fromHalf);
  return Array.from(data as ArrayLike<number | bigint>, (value) =>
    typeof value === "bigint" ? safeInteger(value) : value,
  );
}

/** Named constants of a graph, each distinct small tensor stored once. */
export class ConstantPool {
  readonly #fresh: (hint: string) => string;
  readonly #names = new Map<string, string>();
  readonly #entries: (readonly [name: string, tensor: Tensor])[] = [];

  /** @param fresh a function that makes a name nobody uses yet out of a hint. */
  constructor(fresh: (hint: string) => string) {
    this.#fresh = fresh;
  }

  /** The name of a constant equal to `tensor`, added when there is none. */
  name(hint: string, tensor: Tensor): string {
    // Large tensors are not compared: spelling one out costs more than storing it twice.
    if (elementCount(tensor.shape) > 64) return this.#add(hint, tensor);
    const key = `${describeType(tensor.dtype, tensor.shape)} ${bytesOf(tensor.data)}`;
    const name = this.#names.get(key) ?? this.#add(hint, tensor);
    this.#names.set(key, name);
    return name;
  }

  /** Every constant that was named so far. */
  get entries(): readonly (readonly [name: string, tensor: Tensor])[] {
    return this.#entries;
  }

  #add(hint: string, tensor: Tensor): string {
    const name = this.#fresh(hint);
    this.#entries.push([name, tensor]);
    return name;
  }
}

/** The tensor that a `Constant` node stands for; undefined for any other node. */
export function constantValue({ op, domain, attributes }: OnnxNode): Tensor | undefined {
  if (op !== "Constant" || domain !== "") return undefined;
  return Object.values(attributes)
    .map(attributeTensor)
    .find((tensor) => tensor !== undefined);
}

function attributeTensor(attribute: OnnxAttribute): Tensor | undefined {
  switch (attribute.kind) {
    case "tensor":
      return attribute.value;
    case "int":
      return int64Tensor([attribute.value], []);
    case "ints":
      return int64Tensor(attribute.value);
    case "float":
      return scalarTensor("float32", attribute.value);
    case "floats":
      return float32Tensor(attribute.value);
    default:
      return undefined;
  }
}
