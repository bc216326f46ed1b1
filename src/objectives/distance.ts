import { cosineDistance, squaredDistance } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import type { Graph, Value } from "../graph/index.ts";
import { normalizeRows } from "../models/index.ts";

/** How far an embedding z lies from the original's embedding z0 of the same image: one number an image. */
export type Distance =
  /** ||z - z0||^2 (FARE, LORE). */
  | { readonly kind: "squared-l2" }
  /** ||z - z0|| */
  | { readonly kind: "l2" }
  /** 1 - cos(z, z0): 0 to 2. */
  | { readonly kind: "cosine" }
  | BankDistance;

/**
 * A distance that asks how z stands to other images' original embeddings instead of where it is. With u(z) the unit vector
 * of z - mu, b_j the bank's embeddings likewise, and p(z) = softmax over j of u(z) b_j / temperature:
 *
 * - relational: KL(p(z0) || p(z)) in nats. Neither length nor a common shift of embeddings counts (relational distillation
 *   in the manner of Park et al. 2019, with CompRess' distribution over a memory bank, Koohpayegani et al. 2020).
 * - contrastive: the cross-entropy of p(z) at the image's own entry (InfoNCE, van den Oord et al. 2018).
 *
 * The bank holds the newest original embeddings, the batch's own among them; mu is their mean.
 */
export interface BankDistance {
  readonly kind: "relational" | "contrastive";
  readonly temperature: number;
  /** Entries of the bank; at least a batch's worth are kept. */
  readonly bank: number;
}

export type DistanceKind = Distance["kind"];
export const distanceKinds: readonly DistanceKind[] = ["squared-l2", "l2", "cosine", "relational", "contrastive"];

/** The distance of a kind, a bank's with the settings of the recipe: temperature 0.1, 256 entries. */
export function distanceOf(kind: DistanceKind): Distance {
  return kind === "relational" || kind === "contrastive" ? { kind, temperature: 0.1, bank: 256 } : { kind };
}

export function usesBank(distance: Distance): distance is BankDistance {
  return "bank" in distance;
}

/** @throws UsageError when a temperature or a bank's size is out of range */
export function checkDistance(distance: Distance): void {
  if (!usesBank(distance)) return;
  const { temperature, bank } = distance;
  if (!(temperature > 0 && temperature < Infinity))
    throw new UsageError(`The temperature must be a positive number, got ${temperature}.`);
  if (!Number.isInteger(bank) || bank < 2) throw new UsageError(`The bank must have at least 2 entries, got ${bank}.`);
}

/** The distance [N] of embeddings [N, D] to the original's, [N, D]. A bank is an input of the graph, see `bankInputs`. */
export function distanceMeasure(distance: Distance): (embedding: Value, original: Value) => Value {
  switch (distance.kind) {
    case "squared-l2":
      return squaredDistance;
    case "l2":
      // The derivative of a square root has no bound at 0, where a clean embedding starts.
      return (embedding, original) =>
        embedding.graph.sqrt(embedding.graph.add(squaredDistance(embedding, original), 1e-6));
    case "cosine":
      return cosineDistance;
    case "relational":
      return (embedding, original) => relational(distance, embedding, original);
    case "contrastive":
      return (embedding, original) => contrastive(distance, embedding, original);
  }
}

/** Names of a bank's arrays among a program's inputs. */
export interface BankArrays {
  /** u of the bank's embeddings, [bank, D]; rows of zeros where there are none yet. */
  readonly bank: Float32Array;
  /** [bank]: 0, or a large negative number where the bank has no entry. */
  readonly bankBias: Float32Array;
  /** mu, [D] */
  readonly bankCenter: Float32Array;
}

interface BankInputs {
  readonly bank: Value;
  readonly bias: Value;
  readonly center: Value;
}

/** The inputs `bank`, `bankBias` and `bankCenter` of a graph, declared by whichever measure asks first. */
function bankInputs(graph: Graph, entries: number, size: number): BankInputs {
  const input = (name: string, shape: readonly number[]): Value =>
    graph.inputs.find((value) => value.name === name) ?? graph.input(name, "float32", shape);
  return {
    bank: input("bank", [entries, size]),
    bias: input("bankBias", [entries]),
    center: input("bankCenter", [size]),
  };
}

function relational(distance: BankDistance, embedding: Value, original: Value): Value {
  const { graph: g } = embedding;
  const [log0, log] = [original, embedding].map((z) => g.logSoftmax(similarities(distance, z)));
  return g.reduceSum(g.mul(g.exp(log0!), g.sub(log0!, log!)), { axes: [1] });
}

function contrastive(distance: BankDistance, embedding: Value, original: Value): Value {
  const { graph: g } = embedding;
  const scores = similarities(distance, embedding);
  const { center } = bankInputs(g, distance.bank, embedding.shape[1]!);
  // The image's own entry is u(z0), wherever in the bank it stands.
  const own = g.reduceSum(g.mul(unit(embedding, center), unit(original, center)), { axes: [1] });
  return g.sub(logSumExp(scores), g.mul(own, 1 / distance.temperature));
}

/** log sum_j exp s_j of each row, [N]. */
function logSumExp(scores: Value): Value {
  const { graph: g } = scores;
  const largest = g.reduceMax(scores, { axes: [1], keepDims: true });
  const sum = g.reduceSum(g.exp(g.sub(scores, largest)), { axes: [1] });
  return g.add(g.log(sum), g.squeeze(largest, [1]));
}

/** u(z) b_j / temperature, [N, bank]. */
function similarities({ temperature, bank: entries }: BankDistance, z: Value): Value {
  const { graph: g } = z;
  const { bank, bias, center } = bankInputs(g, entries, z.shape[1]!);
  return g.add(g.mul(g.matMul(unit(z, center), g.swap(bank)), 1 / temperature), bias);
}

function unit(z: Value, center: Value): Value {
  return normalizeRows(z.graph.sub(z, center));
}
