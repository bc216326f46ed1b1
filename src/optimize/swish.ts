import { gated, isModerate, nodeOf, reachable, type Value } from "../graph/index.ts";
import { rewritten } from "./rewrite.ts";
import { scaled } from "./scalars.ts";

/** x sigmoid(alpha x) that a file writes out, as the operator: its derivative is one factor of the cotangent. */
export function withFusedSwish(values: readonly Value[]): readonly Value[] {
  return rewritten(values, ({ op }, [a, b]) => (op === "Mul" ? (fused(a!, b!) ?? fused(b!, a!)) : undefined));
}

function fused(x: Value, gate: Value): readonly [Value] | undefined {
  const z = nodeOf(gate, "Sigmoid")?.inputs[0];
  if (!z || x.dtype !== "float32") return undefined;
  if (z === x) return [x.graph.swish(x)];
  const multiple = scaled(z);
  return multiple?.of === x && isModerate(multiple.by) ? [x.graph.swish(x, multiple.by)] : undefined;
}

/**
 * Swish as a product, which opsets before 24 need: z = alpha x, s = sigmoid(z), and x s. Where its derivative reads z s
 * anyway, (z s) / alpha, so that a backward pass reads nothing but what the forward pass computes.
 */
export function withSwishProducts(values: readonly Value[]): readonly Value[] {
  const known = new Set(reachable(values).nodes);
  return rewritten(values, ({ op, attributes, inputs: [before] }, [x]) => {
    if (op !== "Swish") return undefined;
    const alpha = attributes.alpha as number;
    const { graph: g } = x!;
    const { z, s } = gated(x!, alpha);
    const differentiated = known.has(nodeOf(gated(before!, alpha).s)!);
    if (!differentiated || alpha === 1 || !isModerate(alpha)) return [g.mul(x!, s)];
    return [g.mul(g.mul(z, s), 1 / Math.fround(alpha))];
  });
}
