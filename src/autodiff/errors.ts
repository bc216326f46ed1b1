import { LoreError } from "../errors.ts";

/** A graph that cannot be differentiated: the message names the operator and the path from the loss to the input. */
export class AutodiffError extends LoreError {
  override readonly name = "AutodiffError";
}
