import { LoreError } from "../errors.ts";

/** A program that cannot be compiled or run: the message names the program's input, output or device concerned. */
export class RuntimeError extends LoreError {
  override readonly name = "RuntimeError";
}
