import { type Node, nodeOf, type Value } from "../graph/index.ts";
import { elementCount } from "../tensor/index.ts";
import { countReaders } from "./read-counts.ts";
import { rewritten } from "./rewrite.ts";
import { numberOf, scaled } from "./scalars.ts";

/**
 * Moves scalar factors of a matrix product's operands or result into the product's alpha and beta, which are free. A
 * separate multiplication is a pass over memory. Factors move through linear operators on their way.
 */
export function withScaledProducts(values: readonly Value[]): readonly Value[] {
  const readers = countReaders(values);
  return rewritten(values, (node, inputs) => {
    const only = node.inputs.map((input) => readers.get(input) === 1);
    switch (node.op) {
      case "Gemm":
        return ofScaledOperands(node, inputs);
      case "Mul":
        return scaledGemm(inputs, only) ?? numberOutside(inputs, only);
      case "ReduceSum":
        return afterwards(node, inputs);
      case "Reshape":
        return only[0] ? afterwards(node, inputs) : undefined;
      default:
        return undefined;
    }
  });
}

/** (s a) b = s (a b) */
function ofScaledOperands({ attributes }: Node, [a, b, ...c]: readonly Value[]): readonly Value[] | undefined {
  const [left, right] = [scaled(a!), scaled(b!)];
  if (!left && !right) return undefined;
  const alpha = (attributes.alpha as number) * (left?.by ?? 1) * (right?.by ?? 1);
  return a!.graph.apply("Gemm", [left?.of ?? a!, right?.of ?? b!, ...c], { ...attributes, alpha });
}

/** s (alpha a b + beta c) = (s alpha) a b + (s beta) c, for a product that nobody else reads. */
function scaledGemm(inputs: readonly Value[], only: readonly boolean[]): readonly Value[] | undefined {
  const product = inputs.findIndex((value, i) => only[i] && nodeOf(value, "Gemm"));
  const by = product < 0 ? undefined : numberOf(inputs[1 - product]!);
  if (by === undefined) return undefined;
  const { inputs: operands, attributes } = nodeOf(inputs[product])!;
  const [alpha, beta] = [attributes.alpha as number, attributes.beta as number];
  return inputs[product]!.graph.apply("Gemm", operands, { ...attributes, alpha: by * alpha, beta: by * beta });
}

/** (s a) (t b) = (s t) (a b), where s a is read for nothing else and as large as the result; s (t a) = (s t) a. */
function numberOutside(inputs: readonly Value[], only: readonly boolean[]): readonly Value[] | undefined {
  const { graph: g } = inputs[0]!;
  const size = Math.max(...inputs.map(({ shape }) => elementCount(shape)));
  const found = inputs.map((x, i) => (only[i] && elementCount(x.shape) === size ? scaled(x) : undefined));
  if (!found.some((each) => each)) return undefined;
  const [a, b] = inputs.map((x, i) => found[i]?.of ?? x);
  const by = (found[0]?.by ?? 1) * (found[1]?.by ?? 1);
  const [left, right] = [numberOf(a!), numberOf(b!)];
  if (right !== undefined) return [g.mul(a!, by * right)];
  return [left === undefined ? g.mul(g.mul(a!, b!), by) : g.mul(b!, by * left)];
}

/** f(s a) = s f(a) */
function afterwards({ op, attributes }: Node, inputs: readonly Value[]): readonly Value[] | undefined {
  const found = scaled(inputs[0]!);
  if (!found) return undefined;
  const { graph: g } = found.of;
  return [g.mul(g.apply(op, [found.of, ...inputs.slice(1)], attributes)[0]!, found.by)];
}
