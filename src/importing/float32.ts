import type { OnnxModel } from "../onnx/index.ts";
import { widened } from "./half.ts";
import { floatModel } from "./quantized/float-graph.ts";

/** A model in float32, and whether it was quantised: its graph is then another one. */
export function float32Model(model: OnnxModel): { readonly model: OnnxModel; readonly quantized: boolean } {
  const float = floatModel(model);
  return { model: widened(float ?? model), quantized: float !== undefined };
}
