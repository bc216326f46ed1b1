import type { MissingResult } from "../../results/index.ts";

/** Results left out, one line per reason. */
export function missingLines(missing: readonly MissingResult[]): readonly string[] {
  const places = new Map<string, string[]>();
  for (const { set, encoder, reason } of missing) {
    const place = encoder === undefined ? set : `${set} for ${encoder}`;
    places.set(reason, [...(places.get(reason) ?? []), place]);
  }
  return [...places].map(([reason, where]) => `${where.join(", ")}: ${reason}`);
}
