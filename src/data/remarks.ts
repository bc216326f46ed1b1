import { UsageError } from "../errors.ts";
import type { ImageSource, Remark } from "./source.ts";

/** Handling of faults: errors under `strict`, else sentences for `onWarning`. */
export interface Telling {
  readonly strict?: boolean;
  readonly onWarning?: (message: string) => void;
}

/**
 * Reports a fault: something that changes the meaning of numbers, or was requested and is missing.
 *
 * @throws {UsageError} under `strict`.
 */
export function tellFault(message: string, { strict, onWarning }: Telling): void {
  if (strict) throw new UsageError(`${message} Without --strict (in code, strict) it is a warning.`);
  onWarning?.(message);
}

/**
 * Reports a source's faults of one kind.
 *
 * @throws {UsageError} under `strict`, with the first of them.
 */
export function tellRemarks({ remarks = [] }: ImageSource, wanted: "fault" | "names", telling: Telling): void {
  for (const { kind, message } of remarks) if (kind === wanted) tellFault(message, telling);
}

/** Handling of faults that also collects each sentence once in `warnings`. */
export function collecting({ strict, onWarning }: Telling): Telling & { readonly warnings: readonly string[] } {
  const warnings: string[] = [];
  return {
    warnings,
    ...(strict && { strict }),
    onWarning: (message) => {
      if (warnings.includes(message)) return;
      warnings.push(message);
      onWarning?.(message);
    },
  };
}

/** The source with more remarks. */
export function withRemarks(source: ImageSource, more: readonly Remark[]): ImageSource {
  const remarks = [...(source.remarks ?? []), ...more];
  return remarks.length === 0 ? source : { ...source, remarks };
}
