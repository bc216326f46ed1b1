import { mismatch } from "../graph/index.ts";
import type { CanonicalNode } from "../onnx/index.ts";
import { numbersOf, tensorOfNumbers } from "../onnx/index.ts";
import { type DType, elementCount, type Tensor } from "../tensor/index.ts";
import { evaluators } from "./evaluators.ts";
import { maxKnown, small, TooLarge } from "./limits.ts";
import { stored } from "./stored.ts";

/** A tensor whose elements are known before the model runs; integers and truth values as numbers. */
export interface Known {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/**
 * The results of a node over known operands; undefined when it is not evaluated here.
 *
 * @throws Mismatch when the operands do not fit
 */
export function evaluate(node: CanonicalNode, operands: readonly (Known | undefined)[]): readonly Known[] | undefined {
  const evaluator = node.domain === "" && Object.hasOwn(evaluators, node.op) ? evaluators[node.op] : undefined;
  if (!evaluator || !operands.every((operand) => operand !== undefined)) return undefined;
  try {
    const results = evaluator(operands, node.attributes).map(checked).map(stored);
    return results.every((result) => result !== undefined) ? results : undefined;
  } catch (error) {
    if (error instanceof TooLarge) return undefined;
    throw error;
  }
}

/** A result whose elements are as many as its shape says. */
function checked(result: Known): Known {
  const { shape, values } = result;
  if (elementCount(small(shape)) !== values.length) mismatch(`${values.length} elements do not fit [${shape}]`);
  return result;
}

/** A tensor as a known one, unless it is too large. */
export function knownOf(tensor: Tensor): Known | undefined {
  if (elementCount(tensor.shape) > maxKnown) return undefined;
  return { dtype: tensor.dtype, shape: tensor.shape, values: numbersOf(tensor) };
}

export function tensorOf({ dtype, shape, values }: Known): Tensor {
  return tensorOfNumbers(dtype, shape, values);
}
