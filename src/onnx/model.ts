import type { DType, Tensor } from "../tensor/index.ts";

/** A plain attribute value, as the canonical form carries it. */
export type AttributeValue = number | string | readonly number[];

/** Attributes of a canonical node, by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/**
 * An attribute as an ONNX file stores it. Integers are JavaScript numbers: values beyond 2^53 - 1 (ONNX writes INT64_MAX
 * for "to the end") are read as the nearest safe integer.
 */
export type OnnxAttribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "graph"; readonly value: OnnxGraph };

/** One operator call. An input or output named `""` is an optional one that is left out. */
export interface OnnxNode {
  readonly op: string;
  /** `""` for the standard operators. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** Name and type of a graph input, output or intermediate value. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Sizes; a string names a dynamic size (`"batch"`), `""` is a dynamic size without a name. */
  readonly shape: readonly (number | string)[];
  /** The file does not give the number of dimensions. `shape` is then empty and means nothing. */
  readonly unranked?: true;
  /** The file gives no type, or a type that is not a tensor's (a sequence). `dtype` then means nothing. */
  readonly untyped?: true;
}

/** A graph, or a subgraph held by an attribute. */
export interface OnnxGraph {
  readonly name: string;
  /** In an order where every value is computed before it is used. */
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Constant tensors by the name that nodes use. */
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Types and shapes that the file states for values between nodes. */
  readonly valueInfo?: readonly ValueInfo[];
}

/** The content of an ONNX file. */
export interface OnnxModel {
  /** Version of the file format; `irVersionFor(opset)` is a good choice. */
  readonly irVersion: number;
  /** Operator-set version by domain, `""` being the standard one. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly docString?: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: OnnxGraph;
  /** The graph differs from the file's: functions that the file defines are inlined here. */
  readonly inlined?: true;
}

/** The file-format version that ONNX released together with this opset (13 to 21), which every runtime that knows the opset reads. */
export function irVersionFor(opset: number): number {
  if (opset <= 14) return 7;
  if (opset <= 18) return 8;
  if (opset <= 20) return 9;
  return 10;
}
