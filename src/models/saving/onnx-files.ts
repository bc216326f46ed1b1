import { basename } from "node:path";
import { encodeModel } from "../../onnx/encode.ts";
import type { OnnxModel } from "../../onnx/model.ts";
import { readBytes, type SavedFile } from "../files.ts";

/** The opset of saved files: old enough for every ONNX Runtime since 1.14, new enough for LayerNormalization. */
export const savedOpset = 17;

/** Bytes of weights that fit into an ONNX file (2 GiB) beside its nodes. */
const mostBytes = 2 ** 31 - 2 ** 24;

/** An ONNX file that is there already, with the file of its weights where it does not hold them itself. */
export interface OnnxFile {
  readonly path: string;
  readonly dataPath: string | undefined;
}

/** A model to be written, or to be copied. */
export type SavedModel = OnnxModel | OnnxFile;

/** Whether a model's weights lie in a file of their own, since an ONNX file holds at most 2 GiB. */
export function hasDataFile(model: SavedModel, most = mostBytes): boolean {
  if ("path" in model) return model.dataPath !== undefined;
  const bytes = [...model.graph.initializers.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  return bytes > most;
}

/**
 * An ONNX file; with weights that it cannot hold in `<path>_data` beside it, which is where transformers.js looks.
 *
 * @param most bytes of weights that the file itself holds
 */
export function* onnxFiles(path: string, model: SavedModel, most = mostBytes): Iterable<SavedFile> {
  if ("path" in model) {
    yield [path, readBytes(model.path)];
    if (model.dataPath) yield [`${path}_data`, readBytes(model.dataPath)];
    return;
  }
  if (!hasDataFile(model, most)) {
    yield [path, encodeModel(model).bytes];
    return;
  }
  const { bytes, external } = encodeModel(model, { externalData: { location: `${basename(path)}_data` } });
  yield [path, bytes];
  yield [`${path}_data`, external!];
}
