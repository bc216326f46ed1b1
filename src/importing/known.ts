import type { CanonicalNode } from "../onnx/canonical.ts";
import { numbersOf } from "../onnx/constants.ts";
import { allocate, type DType, elementCount, type Tensor } from "../onnx/tensor.ts";
import { evaluators } from "./evaluators.ts";
import { stored } from "./stored.ts";

/** A tensor whose elements are known before the model runs; integers and truth values as numbers. */
export interface Known {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/**
 * Beyond so many elements a tensor is no shape arithmetic but data (position grids, attention masks): its nodes stay in the
 * graph, where ONNX Runtime folds them.
 */
const mostElements = 65_536;

/** What a node over known operands gives; undefined when it is not for this room to say. */
export function evaluate(node: CanonicalNode, operands: readonly (Known | undefined)[]): readonly Known[] | undefined {
  const evaluator = evaluators[node.op];
  if (node.domain !== "" || !evaluator || !operands.every((operand) => operand !== undefined)) return undefined;
  const results = evaluator(operands, node.attributes).map(stored);
  return results.every((result) => result && result.values.length <= mostElements)
    ? (results as readonly Known[])
    : undefined;
}

/** A tensor as a known one, unless it is too large. */
export function knownOf(tensor: Tensor): Known | undefined {
  if (elementCount(tensor.shape) > mostElements) return undefined;
  return { dtype: tensor.dtype, shape: tensor.shape, values: numbersOf(tensor) };
}

export function tensorOf({ dtype, shape, values }: Known): Tensor {
  const data = allocate(dtype, shape);
  for (const [i, value] of values.entries()) {
    if (data instanceof BigInt64Array) data[i] = BigInt(value);
    else data[i] = value;
  }
  return { dtype, shape, data };
}
