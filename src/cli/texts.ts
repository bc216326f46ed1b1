import { UsageError } from "../errors.ts";
import { linesOf, readText } from "../text.ts";

/**
 * The texts of a file, one per line.
 *
 * @throws UsageError when the file cannot be read, or holds no text
 */
export function readTexts(path: string): readonly string[] {
  const lines = linesOf(readText(path)).filter((line) => line.trim() !== "");
  if (lines.length > 0) return lines;
  throw new UsageError(`--texts ${path}: the file holds no text; write one per line.`);
}
