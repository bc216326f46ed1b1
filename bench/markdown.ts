import type { Spread } from "../src/profiling/timing.ts";

export function markdownTable(names: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(names), line(names.map(() => "---")), ...rows.map(line)].join("\n");
}

/** `2.68 (2.61-2.90)`, three significant digits. */
export function spreadCell({ median, min, max }: Spread): string {
  return `${digits(median)} (${digits(min)}-${digits(max)})`;
}

/** Three significant digits, never with an exponent. */
export function digits(x: number): string {
  return x >= 1000 ? x.toFixed(0) : x.toPrecision(3);
}

export function gib(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(2);
}
