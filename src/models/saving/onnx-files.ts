import { basename, dirname, join } from "node:path";
import { readBytes, type SavedFile } from "../../files.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { encodeModel } from "../../onnx/index.ts";
import { externalPath } from "../onnx/file.ts";

/** The opset of saved files: old enough for every ONNX Runtime since 1.14, new enough for LayerNormalization. */
export const savedOpset = 17;

/** Bytes of weights that fit into an ONNX file (2 GiB) beside its nodes. */
const maxBytes = 2 ** 31 - 2 ** 24;

/** An ONNX file that is there already, with the files beside it that hold weights of it, as it names them. */
export interface OnnxFile {
  readonly path: string;
  readonly external: readonly string[];
}

/** A model to be written, or to be copied. */
export type SavedModel = OnnxModel | OnnxFile;

/**
 * Number of weight files that transformers.js must load beside a model's own: `NAME.onnx_data`, `NAME.onnx_data_1` and so on.
 * An imported ONNX file may name others. Only ONNX Runtime for Node finds those, by itself.
 */
export function dataFileCount(name: string, model: SavedModel): number {
  if (!("path" in model)) return isLarge(model, maxBytes) ? 1 : 0;
  return model.external.filter((location) => location.startsWith(`${name}_data`)).length;
}

/** Whether a model's weights must lie in a file of their own, since an ONNX file holds at most 2 GiB. */
function isLarge(model: OnnxModel, most: number): boolean {
  const bytes = [...model.graph.initializers.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  return bytes > most;
}

/**
 * An ONNX file; with weights that it cannot hold in `<path>_data` beside it, which is where transformers.js looks.
 *
 * @param most bytes of weights that the file itself holds
 */
export function* onnxFiles(path: string, model: SavedModel, most = maxBytes): Iterable<SavedFile> {
  if ("path" in model) {
    yield [path, readBytes(model.path)];
    for (const location of model.external)
      yield [join(dirname(path), location), readBytes(externalPath(model.path, location))];
    return;
  }
  if (!isLarge(model, most)) {
    yield [path, encodeModel(model).bytes];
    return;
  }
  const { bytes, external } = encodeModel(model, { externalData: { location: `${basename(path)}_data` } });
  yield [path, bytes];
  yield [`${path}_data`, external!];
}
