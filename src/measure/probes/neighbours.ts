import { defined } from "../../defined.ts";
import { Graph } from "../../graph/index.ts";
import { normalizeRows } from "../../models/index.ts";
import { type CompileOptions, compile } from "../../runtime/index.ts";
import type { Labelled } from "./labelled.ts";

/** Similarities held at a time: 64 MiB. */
const maxSimilarities = 2 ** 24;
/** DINO's (Caron et al. 2021). */
const temperature = 0.07;

/**
 * k-nearest neighbours by cosine, each voting with exp(cosine / 0.07), as DINO is evaluated.
 *
 * @param ks numbers of neighbours; a number larger than the training set means all of it
 * @returns for each of `ks`, one class per image of `test`
 */
export async function nearestNeighbours(
  train: Labelled,
  test: Labelled,
  ks: readonly number[],
  { threads }: Pick<CompileOptions, "threads"> = {},
): Promise<readonly Int32Array[]> {
  const [n, count, size] = [train.labels.length, test.labels.length, train.size];
  const rows = Math.max(1, Math.min(count, Math.floor(maxSimilarities / n)));
  const k = Math.min(n, Math.max(...ks));
  const g = new Graph();
  const known = g.input("known", "float32", [n, size]);
  const x = g.input("x", "float32", [rows, size]);
  const [cosines, nearest] = g.topK(g.matMul(normalizeRows(x), g.swap(normalizeRows(known))), k);
  const program = await compile({ cosines, nearest }, { device: "cpu", ...defined({ threads }) });
  const predictions = ks.map(() => new Int32Array(count));
  const batch = new Float32Array(rows * size);
  try {
    for (let start = 0; start < count; start += rows) {
      const used = Math.min(rows, count - start);
      batch.set(test.embeddings.subarray(start * size, (start + used) * size));
      const found = await program.run({ known: train.embeddings, x: batch });
      for (let i = 0; i < used; i++) {
        const row = Array.from({ length: k }, (_, j) => ({
          cosine: Number(found.cosines[i * k + j]),
          label: train.labels[Number(found.nearest[i * k + j])]!,
        }));
        for (const [at, wanted] of ks.entries()) predictions[at]![start + i] = vote(row.slice(0, wanted));
      }
    }
  } finally {
    await program.dispose();
  }
  return predictions;
}

function vote(neighbours: readonly { readonly cosine: number; readonly label: number }[]): number {
  const votes = new Map<number, number>();
  for (const { cosine, label } of neighbours)
    votes.set(label, (votes.get(label) ?? 0) + Math.exp((cosine - 1) / temperature));
  return [...votes].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}
