/**
 * The differentiator alone: build a graph of ONNX operators, or import a file; differentiate it; run it on ONNX Runtime.
 *
 * @module autodiff
 */
export { AutodiffError, gradients } from "./autodiff/index.ts";
export {
  type Attributes,
  type ExportOptions,
  Graph,
  GraphError,
  type Node,
  type Operand,
  toOnnx,
  Value,
  type ValueType,
} from "./graph/index.ts";
export { type ImportedModel, type ImportOptions, importModel } from "./importing/index.ts";
export { decodeModel, encodeModel, type OnnxModel } from "./onnx/index.ts";
export { type CompileOptions, compile, type Device, type Program, RuntimeError } from "./runtime/index.ts";
export type { DType, Tensor, TypedArray } from "./tensor/index.ts";
