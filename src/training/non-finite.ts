import { LoreError } from "../errors.ts";

/** Training met a value that is not finite. */
export class NonFiniteError extends LoreError {
  override readonly name = "NonFiniteError";
}
