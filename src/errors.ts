/** Base of every error this library throws on purpose: the message says what was wrong, where, and what to do. */
export class LoreError extends Error {
  override readonly name: string = "LoreError";
}

/** Arguments, options or input files that cannot be used. The command line exits with code 2 on these. */
export class UsageError extends LoreError {
  override readonly name: string = "UsageError";
}
