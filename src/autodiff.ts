/** The differentiator alone: build a graph of ONNX operators, differentiate it, run it on ONNX Runtime. */
export { AutodiffError, gradients } from "./autodiff/index.ts";
export { type ExportOptions, toOnnx } from "./graph/export.ts";
export { type Attributes, Graph, GraphError, type Node, type Operand, Value, type ValueType } from "./graph/index.ts";
export { type ImportedModel, type ImportOptions, importModel } from "./importing/import-model.ts";
export { decodeModel, encodeModel, type OnnxModel } from "./onnx/index.ts";
export { type CompileOptions, compile, type Device, type Program, RuntimeError } from "./runtime/index.ts";
export type { DType, Tensor, TypedArray } from "./tensor/tensor.ts";
