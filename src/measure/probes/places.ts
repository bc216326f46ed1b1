import { UsageError } from "../../errors.ts";

/**
 * Position of each class in another list. Classes match by folder; if both lists are the same, they match by position,
 * since two classes of a list may share a name.
 *
 * @param refusal message for a folder that is missing or ambiguous
 * @throws UsageError with that
 */
export function placesOf(
  wanted: readonly string[],
  known: readonly string[],
  refusal: (folder: string, places: readonly number[]) => string,
): readonly number[] {
  if (wanted.length === known.length && wanted.every((folder, i) => folder === known[i])) return known.map((_, i) => i);
  const places = new Map<string, number[]>();
  known.forEach((folder, i) => {
    places.set(folder, [...(places.get(folder) ?? []), i]);
  });
  return wanted.map((folder) => {
    const found = places.get(folder) ?? [];
    if (found.length === 1) return found[0]!;
    throw new UsageError(refusal(folder, found));
  });
}
