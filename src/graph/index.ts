export { GraphError } from "./errors.ts";
export {
  type ConvOptions,
  type GemmOptions,
  Graph,
  type Operand,
  type ReduceOptions,
  type SliceOptions,
} from "./graph.ts";
export { type Attributes, type Node, type Outputs, Value, type ValueType } from "./value.ts";
