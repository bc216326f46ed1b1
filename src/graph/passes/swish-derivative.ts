import { reachable } from "../reachable.ts";
import { type Node, nodeOf, type Value } from "../value.ts";
import { rewritten } from "./rewrite.ts";

/**
 * The derivative of x sigmoid(a x), which is SiLU and OpenAI's approximation of GELU, as one factor of the cotangent: with
 * z = a x and s = sigmoid(z), s + z s (1 - s), where z s is computed for the forward pass. As the rules of its parts have it, dy s +
 * a ((dy x) (s (1 - s))), it is three passes over memory more, all of them in the backward pass.
 */
export function withSwishDerivative(values: readonly Value[]): readonly Value[] {
  const differentiated = new Set(reachable(values).nodes.flatMap((node) => pullbackOf(node)?.swish.s ?? []));
  return rewritten(values, (node, inputs) => {
    if (node.op === "Add") {
      const { dy, swish } = pullbackOf({ ...node, inputs }) ?? {};
      if (!dy || !swish) return undefined;
      const { graph: g } = dy;
      const { z, s } = swish;
      return [g.mul(dy, g.add(s, g.mul(g.mul(z, s), g.sub(1, s))))];
    }
    const place = node.op === "Mul" ? node.inputs.findIndex((input) => differentiated.has(input)) : -1;
    if (place < 0) return undefined;
    const swish = swishesOf(inputs[place]!).find(({ x }) => x === inputs[1 - place]);
    if (!swish || swish.by === 1) return undefined;
    // x s as (z s) / a: what the forward pass hands on is then all that the derivative needs beside s.
    const { z, s, by } = swish;
    return [z.graph.mul(z.graph.mul(z, s), 1 / by)];
  });
}

/** s = sigmoid(z), z = by x. */
interface Swish {
  readonly x: Value;
  readonly by: number;
  readonly z: Value;
  readonly s: Value;
}

/** What a sigmoid may be part of: of its own argument, or of what that is a multiple of. */
function swishesOf(s: Value): readonly Swish[] {
  const z = nodeOf(s, "Sigmoid")?.inputs[0];
  if (!z) return [];
  const multiples = both(z).flatMap(([x, number]) => {
    const by = numberOf(number);
    return by ? [{ x, by, z, s }] : [];
  });
  return [{ x: z, by: 1, z, s }, ...multiples];
}

/** What is dy s + by ((dy x) (s (1 - s))). */
function pullbackOf({ op, inputs: [a, b] }: Node): { readonly dy: Value; readonly swish: Swish } | undefined {
  return op === "Add" ? (pullbackIn(a!, b!) ?? pullbackIn(b!, a!)) : undefined;
}

function pullbackIn(direct: Value, through: Value) {
  for (const [dy, s] of both(direct)) {
    for (const swish of swishesOf(s)) if (isThrough(through, dy, swish)) return { dy, swish };
  }
  return undefined;
}

/** Whether a value is by ((dy x) (s (1 - s))). */
function isThrough(value: Value, dy: Value, { x, by, s }: Omit<Swish, "z">): boolean {
  if (by !== 1)
    return both(value).some(([inner, number]) => numberOf(number) === by && isThrough(inner, dy, { x, by: 1, s }));
  return both(value).some(([weighted, slope]) => isProduct(weighted, dy, x) && isSlope(slope, s));
}

/** Whether a value is s (1 - s). */
function isSlope(value: Value, s: Value): boolean {
  return both(value).some(([left, right]) => {
    const [one, subtracted] = nodeOf(right, "Sub")?.inputs ?? [];
    return left === s && subtracted === s && numberOf(one!) === 1;
  });
}

const isProduct = (value: Value, a: Value, b: Value): boolean =>
  both(value).some(([left, right]) => left === a && right === b);

/** The operands of a product, in both orders. */
function both(product: Value): readonly (readonly [Value, Value])[] {
  const [a, b] = nodeOf(product, "Mul")?.inputs ?? [];
  return a && b
    ? [
        [a, b],
        [b, a],
      ]
    : [];
}

function numberOf({ origin, shape }: Value): number | undefined {
  return origin.kind === "constant" && shape.length === 0 ? (origin.tensor.data[0] as number) : undefined;
}
