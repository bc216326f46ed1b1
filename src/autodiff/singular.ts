/**
 * Where a rule's formula is 0 times infinity, or 0 divided by 0. What the loss does not depend on has derivative 0, also where
 * the function has a pole there: a file that takes log(x) only where x > 0 selects by `Where`, `Clip` or `Relu`, behind the
 * logarithm. Where a slope is infinite and the value is not (a square root at 0), it is 0 here: that of the norm of a vector,
 * written out, is then 0 at the vector 0, one of its subgradients, as `ReduceL2` has it.
 */

import { type Node, nodeOf, type Value } from "../graph/index.ts";
import { numbersOf } from "../onnx/index.ts";
import type { Step } from "./rules.ts";

/** Operators that may leave an operand's element out of the result, and pass 0 back to it then. */
export const selectors: ReadonlySet<string> = new Set(["Clip", "Max", "Min", "Relu", "Where"]);

/** The formula, except where the cotangent is 0, if that may be because the value is left out. */
export function unlessLeftOut({ g, dy, masked }: Step, formula: Value): Value {
  return masked ? g.where(g.equal(dy, 0), 0, formula) : formula;
}

/** A cotangent times a factor, as `unlessLeftOut` where the factor may be infinite. */
export function timesUnlessLeftOut(step: Step, factor: Value): Value {
  const product = step.g.mul(step.dy, factor);
  return step.masked && hasPole(factor) ? unlessLeftOut(step, product) : product;
}

/** Whether a value comes right from a function that is infinite somewhere, and may be there. */
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

/** A cotangent over the root of what is made of x^2: 0 where that is 0, and where x is outside of its domain and left out. */
export function overRoot(step: Step, radicand: (step: Step, square: Value) => Value): Value {
  const { g, x, dy } = step;
  const root = g.sqrt(radicand(step, g.mul(x[0]!, x[0]!)));
  return unlessLeftOut(step, g.where(g.equal(root, 0), 0, g.div(dy, root)));
}

/**
 * Softmax's result with 0 for NaN, if a `Where` right behind it selects: rows of attention that see no key are minus infinity
 * throughout, give NaN, and are replaced by 0.
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

/** Whether a value is surely not 0: a constant, what an epsilon was added to, what is kept above a bound, and roots of such. */
export function staysFromZero(value: Value): boolean {
  const least = (found: Value | undefined): boolean => constantsOf(found)?.every((number) => number > 0) ?? false;
  const constants = constantsOf(value);
  if (constants) return constants.every((number) => number !== 0);
  const node = nodeOf(value);
  switch (node?.op) {
    case "Add":
    case "Max":
      return node.inputs.some(least);
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

/** Beyond it, exponentials are infinite in float32. */
const largestExponent = 88;

/** Whether a value is surely no more than float32's exponentials take. */
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
