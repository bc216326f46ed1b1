import { InferenceSession, Tensor } from "onnxruntime-node";
import { toOnnx } from "../graph/export.ts";
import type { Value } from "../graph/index.ts";
import { encodeModel } from "../onnx/encode.ts";
import { randomStream } from "../random.ts";
import { elementCount, type TypedArray } from "../tensor/tensor.ts";

/**
 * Evaluates the values without our passes or ONNX Runtime's, so that a pass can be compared with the graph that it
 * replaces. `compile` would apply the pass to both.
 *
 * @param feeds of float32 inputs by name; those left out are random, the same for all graphs
 */
export async function evaluated(
  values: readonly Value[],
  feeds: Readonly<Record<string, Float32Array>> = {},
): Promise<readonly TypedArray[]> {
  const model = toOnnx(Object.fromEntries(values.map((value, i) => [`y${i}`, value])));
  const session = await InferenceSession.create(encodeModel(model).bytes, {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const tensors = model.graph.inputs.map(({ name, shape }) => {
    const sizes = shape as readonly number[];
    const data = feeds[name] ?? numbers(name, elementCount(sizes));
    return [name, new Tensor("float32", data, sizes)] as const;
  });
  const results = await session.run(Object.fromEntries(tensors));
  await session.release();
  return values.map((_, i) => results[`y${i}`]!.data as TypedArray);
}

function numbers(name: string, length: number): Float32Array {
  const { uniform } = randomStream("input", name);
  return Float32Array.from({ length }, () => uniform(-1, 1));
}
