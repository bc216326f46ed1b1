import { style } from "./style.ts";

/** A self-contained HTML page: no scripts, nothing fetched, readable on a phone and on paper, in light and dark. */
export function htmlPage(title: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${sections.join("\n")}
</main>
</body>
</html>
`;
}

/** One heading of a page and what stands below it, as HTML. */
export interface Part {
  readonly heading: string;
  readonly content: readonly string[];
}

/** Sections in order, below links to each; headings that are equal are numbered. */
export function sectionsWithContents(parts: readonly Part[]): readonly string[] {
  const headings = parts.map(({ heading }, i) => {
    const before = parts.slice(0, i).filter((other) => other.heading === heading).length;
    return before === 0 ? heading : `${heading} (${before + 1})`;
  });
  const links = headings.map((heading, i) => `<li><a href="#section-${i}">${escapeHtml(heading)}</a></li>`);
  return [
    `<nav aria-label="Sections"><ul>${links.join("")}</ul></nav>`,
    ...parts.map(({ content }, i) => section(headings[i]!, `<a id="section-${i}"></a>`, ...content)),
  ];
}

export function section(heading: string, ...content: readonly string[]): string {
  return `<section>\n<h2>${escapeHtml(heading)}</h2>\n${content.join("\n")}\n</section>`;
}

export function subheading(text: string): string {
  return `<h3>${escapeHtml(text)}</h3>`;
}

export function paragraph(text: string): string {
  return `<p>${escapeHtml(text)}</p>`;
}

/** What a table or chart is over. */
export function note(text: string): string {
  return `<p class="note">${escapeHtml(text)}</p>`;
}

export function warning(text: string): string {
  return `<p class="warning"><strong>Warning:</strong> ${escapeHtml(text)}</p>`;
}

export function preformatted(text: string): string {
  return `<pre>${escapeHtml(text)}</pre>`;
}

/** Shut until asked for. */
export function details(summary: string, ...content: readonly string[]): string {
  return `<details><summary>${escapeHtml(summary)}</summary>\n${content.join("\n")}\n</details>`;
}

/** @param kind how wide its columns are */
export function grid(figures: readonly string[], kind: "charts" | "small" | "pictures" = "charts"): string {
  return `<div class="grid${kind === "charts" ? "" : ` ${kind}`}">\n${figures.join("\n")}\n</div>`;
}

/** A row of a table that is not like the others. */
export interface SpecialRow {
  readonly cells: readonly string[];
  /** "group" heads the rows below it; "apart" is not measured here. */
  readonly kind: "group" | "apart";
}

export interface TableOptions {
  /** Cells to stress, by row and column. */
  readonly strong?: (row: number, column: number) => boolean;
  /** Columns of running text. */
  readonly text?: readonly number[];
}

/** A table whose first column is the row's heading. */
export function htmlTable(
  header: readonly string[],
  rows: readonly (readonly string[] | SpecialRow)[],
  { strong = () => false, text = [] }: TableOptions = {},
): string {
  const textClass = (column: number): string => (text.includes(column) ? ' class="text"' : "");
  const head = header.map((cell, x) => `<th scope="col"${textClass(x)}>${escapeHtml(cell)}</th>`).join("");
  const body = rows.map((row, y) => {
    const { cells, kind } = "cells" in row ? row : { cells: row, kind: undefined };
    if (kind === "group")
      return `<tr class="group"><th scope="rowgroup" colspan="${header.length}">${escapeHtml(cells[0] ?? "")}</th></tr>`;
    const [first = "", ...rest] = cells;
    const data = rest.map((cell, i) => {
      const shown = strong(y, i + 1) ? `<strong>${escapeHtml(cell)}</strong>` : escapeHtml(cell);
      return `<td${textClass(i + 1)}>${shown}</td>`;
    });
    return `<tr${kind ? ` class="${kind}"` : ""}><th scope="row">${escapeHtml(first)}</th>${data.join("")}</tr>`;
  });
  // What scrolls sideways must be reached by keyboard.
  return `<div class="wide" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

/** @param description what the picture shows, for those who do not see it */
export function embeddedPng(png: Uint8Array, description: string): string {
  const data = Buffer.from(png).toString("base64");
  return `<img alt="${escapeHtml(description)}" src="data:image/png;base64,${data}">`;
}

export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character]!);
}
