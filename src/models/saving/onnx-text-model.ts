import { readBytes, readRange } from "../../files.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { decodeModel, OnnxError } from "../../onnx/index.ts";
import { externalPath } from "../onnx/file.ts";
import type { OnnxText } from "../text/onnx-text.ts";

/**
 * The model of a text tower that is an ONNX file, to put more nodes behind it. ONNX Runtime runs more than can be taken
 * apart here: undefined for an opset before 13 or after 24, for a file that `decodeModel` does not read, and for one that
 * makes no `text_embeds`.
 */
export function readTextModel({ path }: OnnxText): OnnxModel | undefined {
  try {
    const model = decodeModel(readBytes(path), (location, ...range) =>
      readRange(externalPath(path, location), ...range),
    );
    const opset = model.opsets.get("") ?? 0;
    const embeds = model.graph.outputs.some(({ name }) => name === "text_embeds");
    return embeds && opset >= 13 && opset <= 24 ? model : undefined;
  } catch (cause) {
    if (cause instanceof OnnxError) return undefined;
    throw cause;
  }
}
