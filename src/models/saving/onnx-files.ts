import { basename } from "node:path";
import { encodeModel } from "../../onnx/encode.ts";
import type { OnnxModel } from "../../onnx/model.ts";
import type { SavedFile } from "../files.ts";

/** The opset of saved files: old enough for every ONNX Runtime since 1.14, new enough for LayerNormalization. */
export const savedOpset = 17;

/** Bytes of weights that fit into an ONNX file (2 GiB) beside its nodes. */
const mostBytes = 2 ** 31 - 2 ** 24;

/** Whether a model's weights lie in a file of their own, since an ONNX file holds at most 2 GiB. */
export function isTooLarge(model: OnnxModel, most = mostBytes): boolean {
  const bytes = [...model.graph.initializers.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  return bytes > most;
}

/**
 * An ONNX file; with weights that it cannot hold in `<path>_data` beside it, which is where transformers.js looks.
 *
 * @param most bytes of weights that the file itself holds
 */
export function* onnxFiles(path: string, model: OnnxModel, most = mostBytes): Iterable<SavedFile> {
  if (!isTooLarge(model, most)) {
    yield [path, encodeModel(model).bytes];
    return;
  }
  const { bytes, external } = encodeModel(model, { externalData: { location: `${basename(path)}_data` } });
  yield [path, bytes];
  yield [`${path}_data`, external!];
}
