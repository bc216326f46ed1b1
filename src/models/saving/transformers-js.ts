import { LoreError } from "../../errors.ts";
import { type FileContent, jsonFile, type SavedFile } from "../../files.ts";
import { dataFileCount, onnxFiles, type SavedModel } from "./onnx-files.ts";

/**
 * A layout's files and ONNX models as the folder that transformers.js loads: the models in `onnx/`, each with its
 * weights. They share none, although ONNX could: transformers.js looks for the weights of a file under that file's own
 * name, and in a browser it finds no others.
 *
 * @param models by their file names
 */
export function* transformersJsFolder(
  files: ReadonlyMap<string, FileContent>,
  models: ReadonlyMap<string, SavedModel>,
): Iterable<SavedFile> {
  for (const [path, content] of files) {
    yield path === "config.json" ? jsonFile(path, declared(content, models)) : [path, content];
  }
  for (const [name, model] of models) yield* onnxFiles(`onnx/${name}`, model);
}

/** config.json with what a browser cannot see by itself. */
function declared(config: FileContent, models: ReadonlyMap<string, SavedModel>): object {
  if (typeof config !== "string") throw new LoreError("A layout's config.json must be text.");
  const large = [...models]
    .map(([name, model]) => [name, dataFileCount(name, model)] as const)
    .filter(([, count]) => count > 0);
  const settings = {
    // There are no quantised models, which WebAssembly would take otherwise.
    dtype: "fp32",
    ...(large.length > 0 && { use_external_data_format: Object.fromEntries(large) }),
  };
  return { ...(JSON.parse(config) as object), "transformers.js_config": settings };
}
