import { int, ints, nodeOf, type Value } from "../graph/index.ts";
import { numbersOf } from "../onnx/index.ts";
import { rewritten } from "./rewrite.ts";

/**
 * Replaces layer normalisation over the last axis, written out in files before opset 17, by the operator. Its derivative
 * takes fewer passes over the rows.
 */
export function withFusedNorms(values: readonly Value[]): readonly Value[] {
  return rewritten(values, ({ op }, [a, b]) => {
    if (op === "Mul") return scaled(a!, b!) ?? scaled(b!, a!);
    return op === "Add" ? (shifted(a!, b!) ?? shifted(b!, a!)) : undefined;
  });
}

/** The first output of a normalisation; its statistics nobody reads here. */
type Fused = readonly [Value] | undefined;

function scaled(normalized: Value, scale: Value): Fused {
  const found = standardized(normalized);
  if (!found || !isAffine(scale, normalized)) return undefined;
  const { x, epsilon } = found;
  return [x.graph.layerNormalization(x, scale, undefined, { epsilon })];
}

function shifted(normalized: Value, bias: Value): Fused {
  const norm = nodeOf(normalized, "LayerNormalization");
  if (!norm || norm.inputs.length > 2 || int(norm.attributes, "axis") !== -1 || !isAffine(bias, normalized))
    return undefined;
  const [x, scale] = norm.inputs;
  return [x!.graph.apply("LayerNormalization", [x!, scale!, bias], norm.attributes)[0]!];
}

/** (x - mean) / sqrt(mean of (x - mean)^2 + epsilon) over the last axis. */
function standardized(value: Value): { readonly x: Value; readonly epsilon: number } | undefined {
  const [centred, deviation] = nodeOf(value, "Div")?.inputs ?? [];
  const [x, mean] = nodeOf(centred, "Sub")?.inputs ?? [];
  const [variance, added] = nodeOf(nodeOf(deviation, "Sqrt")?.inputs[0], "Add")?.inputs ?? [];
  const epsilon = numberOf(added);
  const isNorm = x && epsilon !== undefined && meanOf(mean) === x && squareOf(meanOf(variance)) === centred;
  return isNorm ? { x, epsilon } : undefined;
}

/** The operand of a mean over the last axis, which is kept. */
function meanOf(value: Value | undefined): Value | undefined {
  const node = nodeOf(value, "ReduceMean");
  const [x] = node?.inputs ?? [];
  const isLast =
    node && ints(node.attributes, "axes").join() === `${x!.rank - 1}` && int(node.attributes, "keepdims") === 1;
  return isLast ? x : undefined;
}

/** The base of a square, written as a power or as a product. */
function squareOf(value: Value | undefined): Value | undefined {
  const [base, exponent] = nodeOf(value, "Pow")?.inputs ?? [];
  if (base) return numberOf(exponent) === 2 ? base : undefined;
  const [left, right] = nodeOf(value, "Mul")?.inputs ?? [];
  return left === right ? left : undefined;
}

function isAffine(value: Value, { shape }: Value): boolean {
  return value.rank === 1 && value.shape[0] === shape.at(-1);
}

function numberOf(value: Value | undefined): number | undefined {
  if (value?.origin.kind !== "constant" || value.origin.tensor.data.length !== 1) return undefined;
  return numbersOf(value.origin.tensor)[0];
}
