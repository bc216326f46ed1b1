import type { Value } from "../graph/index.ts";

/*
 * Losses that attacks maximise, as graph nodes: one number an image, [N] float32. Logits are [N, C], labels and targets
 * [N] int64.
 */

/** Cross-entropy against the labels. */
export function crossEntropy(logits: Value, labels: Value): Value {
  const { graph: g } = logits;
  return g.neg(pick(g.logSoftmax(logits), labels));
}

/** max_{c != y} z_c - z_y: positive where misclassified (Andriushchenko et al. 2020 minimise its negative). */
export function margin(logits: Value, labels: Value): Value {
  const { graph: g } = logits;
  return g.sub(largestOther(logits, labels), pick(logits, labels));
}

/** z_t - z_y, the distance to the boundary that FAB linearises. */
export function targetedMargin(logits: Value, labels: Value, targets: Value): Value {
  return logits.graph.sub(pick(logits, targets), pick(logits, labels));
}

/**
 * Difference of logits ratio (Croce and Hein 2020, equation 6), invariant to shift and scale:
 * -(z_y - max_{c != y} z_c) / (z_(1) - z_(3)), z_(k) the k-th largest. Needs 3 classes.
 */
export function dlr(logits: Value, labels: Value): Value {
  const { graph: g } = logits;
  const [first, , third] = largest(logits, 3) as [Value, Value, Value];
  return g.div(margin(logits, labels), g.add(g.sub(first, third), 1e-12));
}

/** Its targeted form (equation 7): -(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2). Needs 4 classes. */
export function targetedDlr(logits: Value, labels: Value, targets: Value): Value {
  const { graph: g } = logits;
  const [first, , third, fourth] = largest(logits, 4) as [Value, Value, Value, Value];
  const scale = g.sub(first, g.mul(g.add(third, fourth), 0.5));
  return g.div(targetedMargin(logits, labels, targets), g.add(scale, 1e-12));
}

/** Squared l2 distance of each embedding to its reference, both [N, D] (FARE's and LORE's d). */
export function squaredDistance(embedding: Value, reference: Value): Value {
  const { graph: g } = embedding;
  const difference = g.sub(embedding, reference);
  return g.reduceSum(g.mul(difference, difference), { axes: [1] });
}

/** 1 - cosine of each embedding and its reference, both [N, D]: 0 ... 2. */
export function cosineDistance(embedding: Value, reference: Value): Value {
  const { graph: g } = embedding;
  const norms = g.mul(g.reduceL2(embedding, { axes: [1] }), g.reduceL2(reference, { axes: [1] }));
  return g.sub(1, g.div(g.reduceSum(g.mul(embedding, reference), { axes: [1] }), g.add(norms, 1e-12)));
}

/** Whether the arg max of each row differs from its label, [N] bool. */
export function misclassified(logits: Value, labels: Value): Value {
  const { graph: g } = logits;
  return g.not(g.equal(g.argMax(logits, 1), labels));
}

/** Each row's value in one column, [N]. */
function pick(values: Value, columns: Value): Value {
  const { graph: g } = values;
  return g.reduceSum(g.mul(values, oneHot(columns, values.shape[1]!)), { axes: [1] });
}

/** The largest logit besides the label's, [N]. */
function largestOther(logits: Value, labels: Value): Value {
  const { graph: g } = logits;
  return g.reduceMax(g.sub(logits, g.mul(oneHot(labels, logits.shape[1]!), 1e30)), { axes: [1] });
}

/** The `count` largest of each row in descending order, [N] each. */
function largest(logits: Value, count: number): readonly Value[] {
  const { graph: g } = logits;
  const columns = g.split(g.topK(logits, count)[0], new Array<number>(count).fill(1), 1);
  return columns.map((column) => g.squeeze(column, [1]));
}

function oneHot(columns: Value, count: number): Value {
  const { graph: g } = columns;
  const indices = g.indices(Array.from({ length: count }, (_, i) => i));
  return g.cast(g.equal(g.unsqueeze(columns, [1]), g.unsqueeze(indices, [0])), "float32");
}
