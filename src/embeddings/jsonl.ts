import { readBytes, type SavedFile } from "../files.ts";
import { type EmbeddingTable, embeddingAt, joinRows } from "./table.ts";

/*
 * A line of JSON per embedding: {"name": "cat.jpg", "embedding": [0.1, ...]}. It does not say which encoder made them.
 */

/** Decimal digits that tell any two float32 numbers apart. */
const digits = 9;

export function jsonLinesFiles(path: string, table: EmbeddingTable): readonly SavedFile[] {
  const encoder = new TextEncoder();
  const lines = table.names.map((name, i) => {
    const embedding = Array.from(embeddingAt(table, i), (x) => Number(x.toPrecision(digits)));
    return encoder.encode(`${JSON.stringify({ name, embedding })}\n`);
  });
  return [[path, lines]];
}

/** @throws Error naming the line that is no embedding with a name */
export function readJsonLines(path: string): EmbeddingTable {
  const bytes = Buffer.from(readBytes(path));
  const names: string[] = [];
  const rows: (readonly number[])[] = [];
  // Line by line: all of them may be longer than a string can be.
  for (let start = 0, line = 1; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline === -1 ? bytes.length : newline;
    const text = bytes.toString("utf8", start, end).trim();
    start = end + 1;
    if (text === "") continue;
    const { name, embedding } = parse(text);
    if (typeof name !== "string" || !isNumbers(embedding))
      throw new Error(`line ${line} is not {"name": TEXT, "embedding": [NUMBERS]}`);
    names.push(name);
    rows.push(embedding);
  }
  return { names, ...joinRows(rows) };
}

function parse(text: string): { readonly name?: unknown; readonly embedding?: unknown } {
  try {
    return (JSON.parse(text) ?? {}) as { readonly name?: unknown; readonly embedding?: unknown };
  } catch {
    return {};
  }
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((x) => typeof x === "number");
}
