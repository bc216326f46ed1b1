import type { OnnxModel } from "../onnx/index.ts";
import { type Retyping, retyped } from "../onnx/index.ts";
import { widenHalf } from "../tensor/index.ts";

/** A model of half precision as one of float32: tensors widened, casts and inputs with them. */
export function widened(model: OnnxModel): OnnxModel {
  return { ...model, graph: retyped(model.graph, widening) };
}

const widening: Retyping = {
  from: "float16",
  to: "float32",
  convert: ({ shape, data }) => ({ dtype: "float32", shape, data: widenHalf(data as Uint16Array) }),
};
