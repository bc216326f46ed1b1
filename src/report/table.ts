import { type Interval, wilson } from "../statistics.ts";
import { counted } from "../words.ts";

/** The images behind numbers: `97 images of pets/ (3 more could not be read), 10 classes`. */
export function overImages({
  images,
  skipped = 0,
  dataset,
  classes,
}: {
  readonly images: number;
  readonly skipped?: number | undefined;
  readonly dataset: string;
  readonly classes?: number;
}): string {
  const left = skipped > 0 ? ` (${skipped} more could not be read)` : "";
  const among = classes === undefined ? "" : `, ${counted(classes, "class", "classes")}`;
  return `${counted(images, "image")} of ${dataset}${left}${among}`;
}

/** A plain-text table: first column left-aligned, the others right-aligned. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join("  ")
      .trimEnd();
  return [line(header), widths.map((width) => "-".repeat(width)).join("  "), ...rows.map(line)].join("\n");
}

/** `42.1 % [38-46]`: a share of so many images with its 95 % interval (Wilson). */
export function percentWithin(share: number, count: number): string {
  const { low, high } = wilson(share, count);
  return `${percent(share)} [${Math.round(100 * low)}-${Math.round(100 * high)}]`;
}

/** 0.4213 as `42.1 %`. */
export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(1)} %`;
}

/** 0.1103 as `+11.0`: a difference of shares in points. */
export function points(difference: number): string {
  const text = (100 * difference).toFixed(1);
  if (Number(text) === 0) return "0.0";
  return difference > 0 ? `+${text}` : text.replace("-", "−");
}

/** `+11.0 [+4.2, +17.6]`: a difference with its 95 % interval, in points. */
export function pointsWithin(difference: number, { low, high }: Interval): string {
  return `${points(difference)} [${points(low)}, ${points(high)}]`;
}
