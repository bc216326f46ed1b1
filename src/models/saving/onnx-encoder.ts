import { basename, join } from "node:path";
import { LoreError } from "../../errors.ts";
import { jsonFile, readBytes, type SavedFile, withFile } from "../../files.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { type ExternalPatch, replaceTensors } from "../../onnx/index.ts";
import type { Encoder, Parameters } from "../encoder.ts";
import { OnnxEncoder } from "../onnx/encoder.ts";
import { externalPath } from "../onnx/file.ts";
import { onnxSettingsName } from "../onnx/load.ts";
import { withPreprocessing } from "../preprocessing/index.ts";
import { OnnxText } from "../text/onnx-text.ts";
import { onnxFiles } from "./onnx-files.ts";

/**
 * An encoder that came as an ONNX file, as the same file with other weights: graph, names, symbolic axes and opset are
 * byte for byte what they were. One that is understood as another graph (quantised, with functions of its own, optimised for one
 * processor) is written as that, in float32. Settings and tokeniser that lay with it go along.
 */
export function* onnxEncoderFiles(encoder: Encoder): Iterable<SavedFile> {
  if (!(encoder instanceof OnnxEncoder)) throw new LoreError(`${encoder.name} did not come as an ONNX file.`);
  const { file, parameters, output, settings, text } = encoder;
  const tokenizer = text?.tokenizer.files ?? new Map<string, string>();
  yield* tokenizer;
  for (const path of settings) {
    const name = basename(path);
    if (!tokenizer.has(name)) yield [name, withPreprocessing(name, readBytes(path), encoder)];
  }
  yield jsonFile(onnxSettingsName, { output });
  if (text instanceof OnnxText) yield* onnxFiles("onnx/text_model.onnx", text);
  const values = new Map([...parameters].map(([name, { data }]) => [name, data]));
  if (file.rewritten) {
    yield* onnxFiles(`onnx/${basename(file.path)}`, withWeights(file.model, parameters));
    return;
  }
  const { model, external } = replaceTensors(file.bytes, values);
  yield [`onnx/${basename(file.path)}`, model];
  // All of them, since weights that are not trained may have files of their own.
  for (const location of file.external) {
    const patches = external.filter((patch) => patch.location === location);
    yield [join("onnx", location), patched(externalPath(file.path, location), patches)];
  }
}

function withWeights(model: OnnxModel, parameters: Parameters): OnnxModel {
  const initializers = new Map([...model.graph.initializers, ...parameters]);
  const constants = new Set(parameters.keys());
  const nodes = model.graph.nodes.filter(({ op, outputs }) => op !== "Constant" || !constants.has(outputs[0]!));
  return { ...model, graph: { ...model.graph, nodes, initializers } };
}

/** The pieces of a file with some of its bytes replaced. */
function patched(path: string, patches: readonly ExternalPatch[]): readonly Uint8Array[] {
  return withFile(path, ({ size, read }) => {
    const pieces: Uint8Array[] = [];
    let done = 0;
    for (const { offset, bytes } of patches.toSorted((a, b) => a.offset - b.offset)) {
      if (offset > done) pieces.push(read(done, offset));
      pieces.push(bytes);
      done = offset + bytes.length;
    }
    return done < size ? [...pieces, read(done, size)] : pieces;
  });
}
