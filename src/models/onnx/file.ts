import { statSync } from "node:fs";
import { isAbsolute, join, normalize, sep } from "node:path";
import { UsageError } from "../../errors.ts";
import { readBytes, readRange } from "../../files.ts";
import { float32Model } from "../../importing/index.ts";
import { decodeModel, externalLocations, OnnxError, type OnnxModel } from "../../onnx/index.ts";

/** An encoder's ONNX file: its bytes as they are, and what they mean in float32. */
export interface OnnxFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** The files beside it that hold tensors of it, as it names them; all lie in or below its folder. */
  readonly external: readonly string[];
  readonly model: OnnxModel;
  readonly quantized: boolean;
  /** `model` has another graph than the file: one of float32, with functions written out, in ONNX's order. */
  readonly rewritten: boolean;
}

/** Protobuf's own limit. */
const largestFile = 2 ** 31;

/**
 * Reads an ONNX file and the files beside it that hold its weights.
 *
 * @throws UsageError when it cannot be read, is no whole model, or names weights outside its own folder
 */
export function readOnnxFile(path: string): OnnxFile {
  if (statSync(path).size >= largestFile)
    throw new UsageError("It is over 2 GiB, which no ONNX file can be: weights of that size lie in a file beside it.");
  const bytes = readBytes(path);
  try {
    const decoded = decodeModel(bytes, (location, ...range) => readRange(externalPath(path, location), ...range));
    return { path, bytes, external: externalLocations(bytes), ...float32Model(decoded) };
  } catch (cause) {
    if (!(cause instanceof OnnxError)) throw cause;
    throw new UsageError(cause.message, { cause });
  }
}

/**
 * Where a file of weights lies, that a model names.
 *
 * @throws UsageError when that is not in or below the model's folder
 */
export function externalPath(path: string, location: string): string {
  const inside = normalize(location);
  if (isAbsolute(location) || inside === ".." || inside.startsWith(`..${sep}`))
    throw new UsageError(`it lies outside the model's own folder, where nothing is read.`);
  return join(path, "..", inside);
}
