import type { OnnxModel } from "../onnx/index.ts";
import { plainOrder } from "./blocked/plain.ts";
import { widened } from "./half.ts";
import { floatModel } from "./quantized/float-graph.ts";

/** A model as one of float32 that any processor understands. */
export interface Float32Model {
  readonly model: OnnxModel;
  readonly quantized: boolean;
  /** The file has another graph: no tensors of its own could be put into it. */
  readonly rewritten: boolean;
}

export function float32Model(file: OnnxModel): Float32Model {
  const plain = plainOrder(file);
  const float = floatModel(plain ?? file);
  return {
    model: widened(float ?? plain ?? file),
    quantized: float !== undefined,
    rewritten: float !== undefined || plain !== undefined || file.inlined === true,
  };
}
