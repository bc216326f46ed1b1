import { readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { LoreError } from "../../errors.ts";
import { writeAtomically } from "../../files.ts";
import type { ValueInfo } from "../../onnx/index.ts";
import { toFloat16 } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { elementCount } from "../../tensor/index.ts";
import { readOnnxFile } from "../onnx/file.ts";
import { onnxFiles } from "./onnx-files.ts";

/** Difference between the outputs of a float16 copy and of its original. */
export interface Float16Copy {
  /** Path within the folder: `onnx/model_fp16.onnx`. */
  readonly path: string;
  /** The l2 norm of the difference relative to the output's, on one random input, the largest of the outputs. */
  readonly difference: number;
}

/**
 * Writes a float16 copy of each ONNX file of a saved encoder, `model_fp16.onnx` beside `model.onnx`, under the name that
 * transformers.js takes with `dtype: "fp16"`. Each is run beside its original; one that cannot be run, or that overflows, is
 * deleted again. Of those that run, ONNX Runtime's CPU provider can still crash on some at its highest level of optimisation:
 * `graphOptimizationLevel: "layout"` is safe.
 *
 * @param imageSize pixels of the side of an image, for files that do not say
 * @throws LoreError naming the files of which there is no copy, once all others are written
 */
export async function saveFloat16Copies(folder: string, imageSize: number): Promise<readonly Float16Copy[]> {
  const names = readdirSync(join(folder, "onnx")).filter((name) => /(?<!_fp16)\.onnx$/.test(name));
  const copies: Float16Copy[] = [];
  const failures: LoreError[] = [];
  for (const name of names) {
    const path = `onnx/${basename(name, ".onnx")}_fp16.onnx`;
    try {
      copies.push({ path, difference: await copy(folder, `onnx/${name}`, path, imageSize) });
    } catch (cause) {
      for (const file of [path, `${path}_data`]) rmSync(join(folder, file), { force: true });
      failures.push(new LoreError(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause }));
    }
  }
  if (failures.length === 0) return copies;
  const reasons = failures.map(({ message }) => message).join(" ");
  throw new LoreError(`There is no float16 copy of ${reasons}`, { cause: failures[0] });
}

async function copy(folder: string, from: string, to: string, imageSize: number): Promise<number> {
  const half = toFloat16(readOnnxFile(join(folder, from)).model);
  for (const [path, content] of onnxFiles(to, half)) writeAtomically(join(folder, path), content);
  const feeds = Object.fromEntries(half.graph.inputs.map((info) => [info.name, sample(info, imageSize)]));
  const [wide, narrow] = [await outputsOf(join(folder, from), feeds), await outputsOf(join(folder, to), feeds)];
  const difference = Math.max(...Object.keys(wide).map((name) => relativeDifference(wide[name]!, narrow[name]!)));
  if (Number.isFinite(difference)) return difference;
  throw new LoreError("in float16 its values overflow.");
}

type Tensors = Readonly<Record<string, Tensor>>;

async function outputsOf(path: string, feeds: Tensors): Promise<Tensors> {
  // At its highest optimisation level, ONNX Runtime crashes on some float16 models on CPU (its issue 26717).
  const session = await InferenceSession.create(path, { logSeverityLevel: 3, graphOptimizationLevel: "layout" });
  try {
    return (await session.run(feeds)) as Tensors;
  } finally {
    await session.release();
  }
}

/** Images of noise; ones for tokens and their mask. */
function sample({ name, dtype, shape }: ValueInfo, imageSize: number): Tensor {
  const dims = shape.map((size, axis) =>
    typeof size === "number" ? size : axis === 0 ? 1 : freeSize(dtype, imageSize),
  );
  const count = elementCount(dims);
  if (dtype !== "float32") return new Tensor(dtype as "int64", new BigInt64Array(count).fill(1n), dims);
  const random = randomStream("float16", name);
  return new Tensor(
    "float32",
    Float32Array.from({ length: count }, () => random.normal()),
    dims,
  );
}

const tokens = 8;

const freeSize = (dtype: string, imageSize: number): number => (dtype === "float32" ? imageSize : tokens);

function relativeDifference(a: Tensor, b: Tensor): number {
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  let [error, total] = [0, 0];
  for (let i = 0; i < x.length; i++) {
    error += (x[i]! - y[i]!) ** 2;
    total += x[i]! ** 2;
  }
  return error === 0 ? 0 : Math.sqrt(error / total);
}
