import type { OnnxNode } from "../onnx/index.ts";

/** `Conv /conv_in/Conv`, as error messages name a node. */
export function describe({ op, name, outputs }: OnnxNode): string {
  return `${op} ${name || outputs[0] || ""}`.trim();
}
