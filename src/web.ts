/**
 * The differentiator in a browser: that of `lore-vision/autodiff`, on ONNX Runtime's WebAssembly and WebGPU. Install
 * `onnxruntime-web` beside this package.
 *
 * @module web
 */
export { AutodiffError, gradients } from "./autodiff/index.ts";
export { Graph, GraphError, toOnnx, Value } from "./graph/index.ts";
export { importModel } from "./importing/index.ts";
export { decodeModel, encodeModel } from "./onnx/index.ts";
export { RuntimeError } from "./runtime/errors.ts";
export { compile } from "./runtime/web.ts";
