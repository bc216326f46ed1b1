import type { Attributes } from "../onnx/index.ts";
import type { DType, Tensor } from "../tensor/index.ts";
import { describeType } from "../tensor/index.ts";
import type { Graph } from "./graph.ts";

export type { Attributes };

/** Element type and static shape of a value. */
export interface ValueType {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Where a value comes from. */
export type Origin =
  | { readonly kind: "input" }
  | { readonly kind: "constant"; readonly tensor: Tensor }
  | { readonly kind: "node"; readonly node: Node };

/** One edge of the graph: a tensor of static type, known by name. Made by `Graph` only. */
export class Value implements ValueType {
  readonly graph: Graph;
  readonly id: number;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly origin: Origin;

  /** @internal Values are made by a graph's builders. */
  constructor(graph: Graph, id: number, name: string, type: ValueType, origin: Origin) {
    this.graph = graph;
    this.id = id;
    this.name = name;
    this.dtype = type.dtype;
    this.shape = type.shape;
    this.origin = origin;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** `x: float32[8, 3]`, as error messages name a value. */
  toString(): string {
    return `${this.name}: ${describeType(this.dtype, this.shape)}`;
  }
}

/** One operator application. Nodes are numbered in the order they were made, so ascending ids are a topological order. */
export interface Node {
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly outputs: readonly Value[];
}

/** The node that computes a value, if any does, and if it is of that operator. */
export function nodeOf(value: Value | undefined, op?: string): Node | undefined {
  const node = value?.origin.kind === "node" ? value.origin.node : undefined;
  return op === undefined || node?.op === op ? node : undefined;
}

/** Values that a program computes, by the names that it returns them by. */
export type Outputs = Readonly<Record<string, Value>>;
