import { LoreError } from "../errors.ts";

/** Training met a value that is not finite. */
export class NonFiniteError extends LoreError {
  override readonly name = "NonFiniteError";
}

/** @throws NonFiniteError */
export function checkLoss(loss: number): void {
  if (!Number.isFinite(loss)) throw new NonFiniteError(`The loss is ${loss}.`);
}

/** @throws NonFiniteError */
export function checkNorm(norm: number): void {
  if (!Number.isFinite(norm)) throw new NonFiniteError(`The gradient's norm is ${norm}.`);
}
