import type { Objective } from "../../objectives/index.ts";
import type { BatchResult } from "../metrics.ts";
import type { Batch } from "./batch.ts";
import type { Descent } from "./descend.ts";
import type { KnownRows, Perturbed } from "./perturb.ts";

/** Means over the batch's images at the weights before the first optimiser step. */
export function summarize(
  { count, length }: Batch,
  known: KnownRows,
  perturbed: Perturbed,
  { loss, before }: Descent,
  { loss: { kind }, constraint }: Objective,
): BatchResult {
  const divergence = constraint?.divergence === "embedding" ? constraint.distance.kind : "squared-l2";
  // Not by the shares: they are float32, and three thirds would be more than one.
  const mean = (of: (image: number) => number): number => {
    let sum = 0;
    for (let image = 0; image < count; image++) sum += of(image);
    return sum / count;
  };
  const rowsOf = (embeddings: Float32Array): readonly Float32Array[] => {
    const size = embeddings.length / length;
    return Array.from({ length: count }, (_, i) => embeddings.subarray(i * size, (i + 1) * size));
  };
  const { advEmbedding, advDistance, advLoss } = before;
  const { original, threshold, lambda } = known;
  const cleanDistance = perturbed.cleanDistance ?? before.cleanDistance;
  return {
    loss,
    advDistance: mean((i) => advDistance[i]!),
    ...(count > 1 && { spread: spreadOf(rowsOf(advEmbedding)) / spreadOf(rowsOf(original)) }),
    ...(cleanDistance && { cleanDistance: mean((i) => cleanDistance[i]!) }),
    ...(kind !== divergence && advLoss && { advLoss: mean((i) => advLoss[i]!) }),
    ...(constraint &&
      cleanDistance && {
        threshold: mean((i) => threshold[i]!),
        lambdaMean: mean((i) => lambda[i]!),
        violationRate: mean((i) => (cleanDistance[i]! > threshold[i]! ? 1 : 0)),
      }),
  };
}

/** Mean squared distance of embeddings to their mean. */
function spreadOf(rows: readonly Float32Array[]): number {
  let spread = 0;
  for (const d of rows[0]!.keys()) {
    const mean = rows.reduce((sum, row) => sum + row[d]!, 0) / rows.length;
    for (const row of rows) spread += (row[d]! - mean) ** 2 / rows.length;
  }
  return spread;
}
