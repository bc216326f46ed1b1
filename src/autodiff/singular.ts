/**
 * Derivatives where a rule's formula is 0 times infinity, or 0 divided by 0. A value that the loss does not depend on has
 * derivative 0, even at a pole of the function. For example, a file that uses log(x) only where x > 0 selects by `Where`,
 * `Clip` or `Relu` after the logarithm. A slope that is infinite at a finite value (a square root at 0) is 0 here. The
 * gradient of a written-out vector norm is then 0 at the vector 0, which is a subgradient, as for `ReduceL2`.
 */

import { type Node, nodeOf, type Value } from "../graph/index.ts";
import { numbersOf } from "../onnx/index.ts";
import type { Step } from "./rules.ts";

/** Operators that may leave an operand's element out of the result, and pass 0 back to it then. */
export const selectors: ReadonlySet<string> = new Set(["Clip", "Max", "Min", "Relu", "Where"]);

/** The formula, but 0 where the cotangent is 0, if that may be because the value is left out. */
export function unlessLeftOut({ g, dy, masked }: Step, formula: Value): Value {
  return masked ? g.where(g.equal(dy, 0), 0, formula) : formula;
}

/** A cotangent times a factor, as `unlessLeftOut` where the factor may be infinite. */
export function timesUnlessLeftOut(step: Step, factor: Value): Value {
  const product = step.g.mul(step.dy, factor);
  return step.masked && hasPole(factor) ? unlessLeftOut(step, product) : product;
}

/** Whether a value is the direct result of a function with a pole, and may lie at the pole. */
function hasPole(value: Value): boolean {
  const node = nodeOf(value);
  const [x, y] = node?.inputs ?? [];
  switch (node?.op) {
    case "Cast":
    case "Expand":
    case "Reshape":
      return hasPole(x!);
    case "Div":
      return !staysFromZero(y!);
    case "Log":
    case "Reciprocal":
      return !staysFromZero(x!);
    case "Exp":
      return !staysBelowOverflow(x!);
    case "Pow":
      return !isTameAtZero(y!);
    default:
      return false;
  }
}

/** 1 / y times a cotangent, 0 where y is. */
export function dividedUnlessZero({ g }: Step, dy: Value, y: Value, x: Value): Value {
  return staysFromZero(x) ? g.div(dy, y) : g.where(g.equal(y, 0), 0, g.div(dy, y));
}

/** A cotangent over the root of a function of x^2. It is 0 where the root is 0, and where x is outside its domain and left out. */
export function overRoot(step: Step, radicand: (step: Step, square: Value) => Value): Value {
  const { g, x, dy } = step;
  const root = g.sqrt(radicand(step, g.mul(x[0]!, x[0]!)));
  return unlessLeftOut(step, g.where(g.equal(root, 0), 0, g.div(dy, root)));
}

/**
 * Softmax's result with 0 for NaN, if a `Where` directly after it selects. Rows of attention that see no key are all minus
 * infinity, give NaN, and are replaced by 0.
 */
export function selectedRows({ g, y, dy }: Step): Value {
  return comesFromWhere(dy) ? g.where(g.equal(y, y), y, 0) : y;
}

const rearranging: ReadonlySet<string> = new Set(["Cast", "Reshape", "Squeeze", "Transpose", "Unsqueeze"]);

function comesFromWhere(dy: Value): boolean {
  let node = nodeOf(dy);
  while (node && rearranging.has(node.op)) node = nodeOf(node.inputs[0]);
  return node?.op === "Where";
}

/** Whether a value is provably not 0: a constant, a sum with an epsilon, a value clipped from below, or a root of such. */
export function staysFromZero(value: Value): boolean {
  const isPositive = (found: Value | undefined): boolean => constantsOf(found)?.every((number) => number > 0) ?? false;
  const constants = constantsOf(value);
  if (constants) return constants.every((number) => number !== 0);
  const node = nodeOf(value);
  switch (node?.op) {
    case "Add":
    case "Max":
      return node.inputs.some(isPositive);
    case "Clip":
      return ((node.attributes.min as number | undefined) ?? 0) > 0;
    case "Exp":
      return true;
    case "Cast":
    case "Expand":
    case "Reshape":
    case "Sqrt":
    case "Squeeze":
    case "Unsqueeze":
      return staysFromZero(node.inputs[0]!);
    default:
      return false;
  }
}

/** Largest exponent whose exponential is finite in float32. */
const largestExponent = 88;

/** Whether a value is provably at most `largestExponent`. */
export function staysBelowOverflow(value: Value): boolean {
  const node = nodeOf(value);
  if (node?.op === "Clip")
    return ((node.attributes.max as number | undefined) ?? Number.POSITIVE_INFINITY) <= largestExponent;
  if (node?.op === "Neg") return isSquare(nodeOf(node.inputs[0]));
  return constantsOf(value)?.every((number) => number <= largestExponent) ?? false;
}

const isSquare = (node: Node | undefined): boolean => node?.op === "Mul" && node.inputs[0] === node.inputs[1];

/** The elements of a constant, as numbers, unless it is large. */
function constantsOf(value: Value | undefined): readonly number[] | undefined {
  if (value?.origin.kind !== "constant" || value.origin.tensor.data.length > 65_536) return undefined;
  return numbersOf(value.origin.tensor);
}

/** Whether a power's slope is finite at 0: exponents of 1 and more, and 0. */
export function isTameAtZero(exponent: Value): boolean {
  return constantsOf(exponent)?.every((number) => number === 0 || number >= 1) ?? false;
}
