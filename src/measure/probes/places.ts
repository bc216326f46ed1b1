import { UsageError } from "../../errors.ts";

/**
 * Where each of some classes is among others: by its folder, or by its place where both lists are the same, since two
 * classes of a list may have one name.
 *
 * @param refusal what to say of a folder that is in no place, or in several
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
