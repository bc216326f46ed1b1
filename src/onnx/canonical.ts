import { OnnxError } from "./errors.ts";
import type { Attributes } from "./model.ts";

/*
 * The form in which the rest of this project sees operators: opset 21, with every operand whose value must be known
 * before the model runs (shapes, axes, paddings) as an attribute. `operators.ts` tabulates what differs between opsets.
 */

/** A node in canonical form. */
export interface CanonicalNode {
  readonly op: string;
  /** `""` for the standard operators. */
  readonly domain: string;
  /** The operands that are computed while the model runs; `""` is one left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** The opset whose meanings the canonical form has. */
export const CANONICAL_OPSET = 21;

/** The opsets that are read; what the first of them had in other forms is brought up to opset 7. */
export const OLDEST_OPSET = 1;
export const NEWEST_OPSET = 26;

/** `Reshape node "/visual/Reshape"`, as error messages name a node. */
export function describeNode(node: {
  readonly op: string;
  readonly name?: string;
  readonly outputs: readonly string[];
}): string {
  return `${node.op} node "${node.name || node.outputs[0] || ""}"`;
}

/** Refuses an opset outside this range. */
export function checkOpset(opset: number, first: number, last: number): void {
  if (Number.isInteger(opset) && opset >= first && opset <= last) return;
  throw new OnnxError(`opset ${opset} is outside ${first} to ${last}: convert the model to opset ${CANONICAL_OPSET}`);
}
