import type { Graph, Value } from "../../graph/index.ts";
import { mismatch, product, range } from "../../graph/index.ts";

/** An operand and the label of each of its axes. */
interface Term {
  readonly value: Value;
  readonly labels: readonly string[];
}

/**
 * Einstein summation, as transposes and matrix products: operands are taken together from left to right.
 *
 * @param equation such as `bhid,bhjd->bhij`; an ellipsis stands for axes of the same sizes in all operands
 */
export function einsum(g: Graph, equation: string, operands: readonly Value[]): Value {
  const [left, right] = equation.replaceAll(" ", "").split("->") as [string, string?];
  const inputs = left.split(",");
  if (inputs.length !== operands.length)
    mismatch(`${equation} has ${inputs.length} operands, ${operands.length} are given`);
  const terms = inputs.map((text, i): Term => {
    const value = operands[i]!;
    return diagonal(g, { value, labels: labelsOf(text, value.rank) });
  });
  const all = terms.flatMap(({ labels }) => labels);
  const ellipsis = [...new Set(all.filter((label) => label.startsWith(".")))].sort().reverse();
  const output = right === undefined ? implicit(all, ellipsis) : outputLabels(right, ellipsis);
  let result = terms[0]!;
  for (const [i, term] of terms.slice(1).entries()) {
    const later = terms.slice(i + 2).flatMap(({ labels }) => labels);
    result = contracted(g, result, term, new Set([...output, ...later]));
  }
  const summed = summedOut(g, result, new Set(output));
  return g.transpose(
    summed.value,
    output.map((label) => summed.labels.indexOf(label)),
  );
}

/** Reduces an operand with a repeated label to the diagonal of both axes. */
function diagonal(g: Graph, { value, labels }: Term): Term {
  const second = labels.findIndex((label, axis) => labels.indexOf(label) < axis);
  if (second < 0) return { value, labels };
  const first = labels.indexOf(labels[second]!);
  const along = (axis: number): Value =>
    g.reshape(
      g.indices(range(value.shape[axis]!)),
      value.shape.map((size, i) => (i === axis ? size : 1)),
    );
  const onDiagonal = g.where(g.equal(along(first), along(second)), value, 0);
  const summed = g.reduceSum(onDiagonal, { axes: [second] });
  return diagonal(g, { value: summed, labels: labels.toSpliced(second, 1) });
}

/** `...` becomes `.2`, `.1`, `.0`: labels counted from the last of its axes. */
function labelsOf(text: string, rank: number): readonly string[] {
  const [before, after] = text.split("...") as [string, string?];
  if (after === undefined) return [...before];
  const count = rank - before.length - after.length;
  return [...before, ...Array.from({ length: count }, (_, i) => `.${count - 1 - i}`), ...after];
}

function outputLabels(text: string, ellipsis: readonly string[]): readonly string[] {
  const [before, after] = text.split("...") as [string, string?];
  return after === undefined ? [...before] : [...before, ...ellipsis, ...after];
}

/** Without an arrow: the labels that occur once, in alphabetical order. */
function implicit(all: readonly string[], ellipsis: readonly string[]): readonly string[] {
  const once = all.filter((label) => !label.startsWith(".") && all.indexOf(label) === all.lastIndexOf(label));
  return [...ellipsis, ...once.sort()];
}

function summedOut(g: Graph, { value, labels }: Term, wanted: ReadonlySet<string>): Term {
  const axes = labels.flatMap((label, axis) => (wanted.has(label) ? [] : [axis]));
  if (axes.length === 0) return { value, labels };
  return { value: g.reduceSum(value, { axes }), labels: labels.filter((label) => wanted.has(label)) };
}

/** Two operands as one product of matrices: shared axes that are wanted are its batch, those that are not are summed over. */
function contracted(g: Graph, one: Term, other: Term, wanted: ReadonlySet<string>): Term {
  const a = summedOut(g, one, new Set([...wanted, ...other.labels]));
  const b = summedOut(g, other, new Set([...wanted, ...one.labels]));
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter((label) => wanted.has(label));
  const inner = shared.filter((label) => !wanted.has(label));
  const rows = a.labels.filter((label) => !shared.includes(label));
  const columns = b.labels.filter((label) => !shared.includes(label));
  const sizes = (labels: readonly string[], { value, labels: own }: Term): readonly number[] =>
    labels.map((label) => value.shape[own.indexOf(label)]!);
  const matrices = (term: Term, groups: readonly (readonly string[])[]): Value => {
    const moved = g.transpose(
      term.value,
      groups.flat().map((label) => term.labels.indexOf(label)),
    );
    return g.reshape(
      moved,
      groups.map((group) => product(sizes(group, term))),
    );
  };
  const result = g.matMul(matrices(a, [batch, rows, inner]), matrices(b, [batch, inner, columns]));
  return {
    value: g.reshape(result, [...sizes(batch, a), ...sizes(rows, a), ...sizes(columns, b)]),
    labels: [...batch, ...rows, ...columns],
  };
}
