import type { Graph, Value } from "../../graph/index.ts";
import { mismatch } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/index.ts";
import { numbersOf } from "../../onnx/index.ts";

/** One use of an operator that is written out in others. */
export interface Use {
  readonly g: Graph;
  /** Inputs; undefined where one is left out. */
  readonly x: readonly (Value | undefined)[];
  /** In canonical form, with the standard's defaults. */
  readonly a: Attributes;
}

/** The outputs of a use; those at the end may be missing, as nobody may read them. */
export type Composite = (use: Use) => readonly Value[];

/** Composites by the operator's name, that of ONNX Runtime's own behind `com.microsoft:`. */
export type Composites = Readonly<Record<string, Composite>>;

export const number = (a: Attributes, name: string, fallback: number): number =>
  (a[name] as number | undefined) ?? fallback;

/**
 * The numbers of an operand that must be known before the model runs.
 *
 * @param what it says, as the error calls it
 */
export function known({ origin }: Value, what: string): readonly number[] {
  if (origin.kind === "constant") return numbersOf(origin.tensor);
  return mismatch(`${what} is computed while the model runs, and must be known before`);
}

/** Refuses inputs that only caches, masks of texts and the like use. */
export function without(x: readonly (Value | undefined)[], places: readonly number[], what: string): void {
  if (places.some((place) => x[place])) mismatch(`${what} is not supported`);
}

/** A value of one number a channel, [C], as one that broadcasts over images [N, C, ...]. */
export function overChannels(value: Value, rank: number): Value {
  return value.graph.reshape(value, [1, value.shape[0]!, ...Array.from({ length: rank - 2 }, () => 1)]);
}
