import { type Node, nodeOf, reachable, type Value } from "../graph/index.ts";
import { rewritten } from "./rewrite.ts";
import { numberOf, scaled } from "./scalars.ts";

/**
 * The derivative of x sigmoid(a x), which is SiLU and OpenAI's approximation of GELU, as one factor of the cotangent: with
 * z = a x and s = sigmoid(z), s + z s (1 - s). The rules of its parts give dy s + a ((dy x) (s (1 - s))), two passes over memory
 * more (three where a is not 1), all of them in the backward pass. The value becomes (z s) / a, so that beside s the derivative
 * needs only what the forward pass computes anyway. Where a x is not finite in float32, neither is the result.
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

/** Neither such a factor nor its inverse makes anything overflow that is not at the end of float32's range. */
const isModerate = (by: number): boolean => Math.abs(by) >= 2 ** -10 && Math.abs(by) <= 2 ** 10;

/** What a sigmoid may be part of: of its own argument, or of what that is a multiple of. */
function swishesOf(s: Value): readonly Swish[] {
  const z = nodeOf(s, "Sigmoid")?.inputs[0];
  if (!z) return [];
  const own = { x: z, by: 1, z, s };
  const multiple = scaled(z);
  return multiple && isModerate(multiple.by) ? [own, { x: multiple.of, by: multiple.by, z, s }] : [own];
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
function isThrough(value: Value, dy: Value, { x, by, s }: Swish): boolean {
  if (by === 1) return isThroughSigmoid(value, dy, x, s);
  const multiple = scaled(value);
  return multiple?.by === by && isThroughSigmoid(multiple.of, dy, x, s);
}

/** Whether a value is (dy x) (s (1 - s)). */
function isThroughSigmoid(value: Value, dy: Value, x: Value, s: Value): boolean {
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
