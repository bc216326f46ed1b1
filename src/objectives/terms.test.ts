import { describe, expect, test } from "vitest";
import { Graph, type Value } from "../graph/index.ts";
import type { Classifier, Encoder } from "../models/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { allocate, type Tensor } from "../tensor/tensor.ts";
import { EmbeddingBank } from "./bank.ts";
import type { Constraint } from "./constraint.ts";
import type { BankArrays, BankDistance, Distance } from "./distance.ts";
import { fare, lore, naive, type Objective, robust, tecoa } from "./objective.ts";
import { gradientName, primalGraph } from "./primal.ts";
import { classDivergence, classEntropy, termsOf } from "./terms.ts";

const random = randomStream("terms");
const normal = (shape: readonly number[]): Tensor<"float32"> => ({
  dtype: "float32",
  shape,
  data: allocate("float32", shape).map(() => random.normal()),
});
const [batch, size, classes] = [3, 4, 5];
/** Embeddings in the bank, which has room for one more. */
const present = 4;
const relational: BankDistance = { kind: "relational", temperature: 0.2, bank: present + 1 };

/** Class embeddings of length 1 at CLIP's scale, and a head. */
const cosine: Classifier = { kind: "cosine", weight: unitRows(normal([classes, size])), scale: 100 };
const linear: Classifier = { kind: "linear", weight: normal([classes, size]), bias: normal([classes]) };

function unitRows({ shape, data, dtype }: Tensor<"float32">): Tensor<"float32"> {
  const rows = rowsOf(data, shape[1]!).flatMap((row) => row.map((x) => x / Math.hypot(...row)));
  return { dtype, shape, data: Float32Array.from(rows) };
}

function rowsOf(data: ArrayLike<number>, width: number): readonly (readonly number[])[] {
  const all = Array.from(data);
  return Array.from({ length: all.length / width }, (_, i) => all.slice(i * width, (i + 1) * width));
}

/*
 * The same in float64 and plain loops, to compare with.
 */
type Vector = readonly number[];
const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const squared = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0);

function logProbabilities(z: Vector, classifier: Classifier): Vector {
  const weights = rowsOf(classifier.weight.data, size);
  const logits = weights.map((row, c) =>
    classifier.kind === "cosine"
      ? (classifier.scale * dot(row, z)) / Math.hypot(...z)
      : dot(row, z) + classifier.bias.data[c]!,
  );
  const top = Math.max(...logits);
  const normaliser = top + Math.log(logits.reduce((sum, x) => sum + Math.exp(x - top), 0));
  return logits.map((x) => x - normaliser);
}
const kl = (log0: Vector, log: Vector): number => log0.reduce((sum, p, c) => sum + Math.exp(p) * (p - log[c]!), 0);
const entropy = (log: Vector): number => -log.reduce((sum, p) => sum + Math.exp(p) * p, 0);

/** KL(p0 || p) and H(p0) of rows of embeddings. */
async function measure(embedding: Float32Array, original: Float32Array, classifier: Classifier) {
  const g = new Graph();
  const shape = [embedding.length / size, size];
  const [z, z0] = [g.input("z", "float32", shape), g.input("z0", "float32", shape)];
  const outputs = { divergence: classDivergence(z, z0, classifier), entropy: classEntropy(z0, classifier) };
  const program = await compile(outputs, { threads: 1 });
  const result = await program.run({ z: embedding, z0: original });
  await program.dispose();
  return { divergence: [...(result.divergence as Float32Array)], entropy: [...(result.entropy as Float32Array)] };
}

/** Logits up to 100 are rounded to 4e-6, and so are the logarithms that enter with a total weight of 1. */
const rounding = 2e-5;

describe("class distributions", () => {
  const embeddings = normal([16, size]).data;
  const originals = normal([16, size]).data;

  test.each([
    ["cosine", cosine],
    ["linear", linear],
  ])("%s: KL(p0 || p) and the entropy of p0, as in float64", async (_, classifier) => {
    const got = await measure(embeddings, originals, classifier);
    for (const [i, z0] of rowsOf(originals, size).entries()) {
      const [log0, log] = [z0, rowsOf(embeddings, size)[i]!].map((z) => logProbabilities(z, classifier));
      const wanted = kl(log0!, log!);
      expect(Math.abs(got.divergence[i]! - wanted)).toBeLessThan(rounding * Math.max(1, wanted));
      // The other direction is another number: a swap would be seen.
      expect(Math.abs(kl(log!, log0!) - wanted)).toBeGreaterThan(0.001 * wanted);
      expect(Math.abs(got.entropy[i]! - entropy(log0!))).toBeLessThan(rounding);
    }
  });

  test("no divergence at the original weights; by cosine, none for an embedding of another length", async () => {
    const longer = originals.map((x) => 3 * x);
    for (const embedding of [originals, longer]) {
      const { divergence } = await measure(embedding, originals, cosine);
      for (const nats of divergence) expect(Math.abs(nats)).toBeLessThan(rounding);
    }
    expect(Math.max(...(await measure(longer, originals, linear)).divergence)).toBeGreaterThan(0.1);
  });

  test("the entropy is 0 where the original is sure and log(classes) where it knows nothing, never outside", async () => {
    const [row] = rowsOf(linear.weight.data, size);
    const flat: Classifier = { ...cosine, scale: 0 };
    const sure = await measure(
      Float32Array.from(row!),
      Float32Array.from(row!, (x) => 100 * x),
      {
        ...linear,
        weight: unitRows(linear.weight),
      },
    );
    expect(sure.entropy[0]).toBeLessThan(1e-6);
    const unsure = await measure(originals, originals, flat);
    for (const nats of unsure.entropy) expect(nats).toBeCloseTo(Math.log(classes), 6);
    for (const classifier of [cosine, linear]) {
      for (const nats of (await measure(originals, originals, classifier)).entropy) {
        expect(nats).toBeGreaterThanOrEqual(0);
        expect(nats).toBeLessThanOrEqual(Math.log(classes) + 1e-6);
      }
    }
  });
});

/** An encoder whose every number can be computed here: phi(x) = W2 tanh(W1 x + b1) + b2 on images of 2 x 2 pixels. */
const [pixels, hidden] = [12, 6];
const encoder: Pick<Encoder, "embed" | "embeddingSize" | "imageSize" | "parameters"> = {
  imageSize: 2,
  embeddingSize: size,
  parameters: new Map([
    ["W1", normal([hidden, pixels])],
    ["b1", normal([hidden])],
    ["W2", normal([size, hidden])],
    ["b2", normal([size])],
  ]),
  embed(images: Value, weights) {
    const { graph: g } = images;
    const first = g.tanh(g.gemm(g.flatten(images), weights("W1"), weights("b1"), { transB: true }));
    return g.gemm(first, weights("W2"), weights("b2"), { transB: true });
  },
};

type Weights = ReadonlyMap<string, Float64Array>;
const weights64: Weights = new Map([...encoder.parameters].map(([name, { data }]) => [name, Float64Array.from(data)]));

function embed64(image: Vector, weights: Weights): Vector {
  const layer = (x: Vector, w: string, b: string): Vector =>
    rowsOf(weights.get(w)!, x.length).map((row, i) => dot(row, x) + weights.get(b)![i]!);
  return layer(layer(image, "W1", "b1").map(Math.tanh), "W2", "b2");
}

const uniform = (): Float32Array => new Float32Array(batch * pixels).map(() => random.uniform());
const feeds = {
  adversarial: uniform(),
  clean: uniform(),
  original: normal([batch, size]).data,
  labels: BigInt64Array.of(4n, 0n, 2n),
  share: Float32Array.of(0.5, 0.3, 0.2),
  lambda: Float32Array.of(0.7, 0, 2),
  threshold: Float32Array.of(0.1, 5, 50),
  ...bankOf(Array.from({ length: present }, () => normal([size]).data)),
};

/** Bank arrays with room for one embedding more than those given. */
function bankOf(entries: readonly Float32Array[]): BankArrays {
  const bank = new EmbeddingBank(entries.length + 1, size);
  for (const entry of entries) bank.add(entry, 1);
  return bank.arrays;
}

function divergence64(constraint: Constraint, own: Vector, z0: Vector): number {
  if (constraint.divergence === "embedding") return distance64(constraint.distance, own, z0);
  const { classifier } = constraint;
  return kl(logProbabilities(z0, classifier), logProbabilities(own, classifier));
}

/** A distance in float64, from its definition; over the bank's entries that are there. */
function distance64(distance: Distance, z: Vector, z0: Vector): number {
  const unit = (x: Vector): Vector => {
    const centered = x.map((value, d) => value - feeds.bankCenter[d]!);
    return centered.map((value) => value / Math.hypot(...centered));
  };
  const logs = (x: Vector, temperature: number): Vector => {
    const scores = rowsOf(feeds.bank, size)
      .slice(0, present)
      .map((row) => dot(unit(x), row) / temperature);
    const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
    return scores.map((score) => score - Math.log(sum));
  };
  switch (distance.kind) {
    case "squared-l2":
      return squared(z, z0);
    case "l2":
      return Math.sqrt(squared(z, z0) + 1e-6);
    case "cosine":
      return 1 - dot(z, z0) / (Math.hypot(...z) * Math.hypot(...z0));
    case "relational":
      return kl(logs(z0, distance.temperature), logs(z, distance.temperature));
    case "contrastive": {
      const entries = rowsOf(feeds.bank, size).slice(0, present);
      const sum = entries.reduce((total, row) => total + Math.exp(dot(unit(z), row) / distance.temperature), 0);
      return Math.log(sum) - dot(unit(z), unit(z0)) / distance.temperature;
    }
  }
}

/** The whole primal loss in float64, from its definition. */
function loss64({ loss, constraint }: Objective, weights: Weights): number {
  const [adversarial, clean] = [feeds.adversarial, feeds.clean].map((images) =>
    rowsOf(images, pixels).map((image) => embed64(image, weights)),
  );
  return rowsOf(feeds.original, size).reduce((sum, z0, i) => {
    const [adv, own] = [adversarial![i]!, clean![i]!];
    const first =
      loss.kind === "cross-entropy"
        ? -logProbabilities(adv, loss.classifier)[Number(feeds.labels[i])]!
        : distance64(loss, adv, z0);
    const second = constraint ? feeds.lambda[i]! * (divergence64(constraint, own, z0) - feeds.threshold[i]!) : 0;
    return sum + feeds.share[i]! * (first + second);
  }, 0);
}

/** Central differences of fourth order: truncation and rounding are some 1e-9 here, at slopes of up to 100. */
function differences(objective: Objective, name: string): Vector {
  const h = 1e-4;
  const moved = (element: number, step: number): number => {
    const data = weights64.get(name)!.slice();
    data[element]! += step;
    return loss64(objective, new Map([...weights64, [name, data]]));
  };
  return Array.from(weights64.get(name)!, (_, i) => {
    const [near, far] = [h, 2 * h].map((step) => moved(i, step) - moved(i, -step));
    return (8 * near! - far!) / (12 * h);
  });
}

describe("the primal loss and its gradient in every weight, against float64 and its central differences", () => {
  const epsilon = 0.1;
  const objectives: readonly (readonly [string, Objective])[] = [
    ["FARE", fare({ epsilon })],
    ["the naive regulariser", naive({ epsilon, weight: 1 })],
    ["the recipe", robust({ epsilon, distance: relational })],
    ["contrastive", robust({ epsilon, distance: { ...relational, kind: "contrastive" } })],
    ["l2", fare({ epsilon, distance: { kind: "l2" } })],
    ["cosine", fare({ epsilon, distance: { kind: "cosine" } })],
    ["relational, and so its constraint", robust({ epsilon, distance: relational, constraint: {} })],
    ["squared l2 under a relational constraint", lore({ epsilon, bounded: relational })],
    ["TeCoA", tecoa({ epsilon, classifier: cosine })],
    ["TeCoA with a head", tecoa({ epsilon, classifier: linear })],
    ["TeCoA, squared l2", tecoa({ epsilon, classifier: cosine, constraint: { divergence: "embedding" } })],
    ["TeCoA, KL", tecoa({ epsilon, classifier: cosine, constraint: { divergence: "classes" } })],
    ["TeCoA with a head, KL", tecoa({ epsilon, classifier: linear, constraint: { divergence: "classes" } })],
  ];
  test.each(objectives)("%s", async (_, objective) => {
    const graph = primalGraph(encoder, batch, objective.constraint !== undefined, termsOf(objective));
    const program = await compile(graph, { threads: 1 });
    const parameters = Object.fromEntries([...encoder.parameters].map(([name, { data }]) => [name, data]));
    const result = await program.run({ ...feeds, ...parameters });
    const loss = loss64(objective, weights64);
    // float32 embeddings err by some 1e-7 of their length, logits of size 100 by 1e-5 then, and their gradients p - p0
    // by as much of 1. Classes that agree cancel; what is left is divided by slopes of order 1 and more.
    const tolerance = 1e-5;
    expect(Math.abs((result.loss as Float32Array)[0]! - loss)).toBeLessThan(tolerance * Math.abs(loss));
    for (const name of encoder.parameters.keys()) {
      const wanted = differences(objective, name);
      const got = [...(result[gradientName(name)] as Float32Array)];
      const norm = Math.hypot(...wanted);
      expect(norm, name).toBeGreaterThan(0.01);
      expect(Math.sqrt(squared(got, wanted)) / norm, name).toBeLessThan(tolerance);
    }
    await program.dispose();
  });
});
