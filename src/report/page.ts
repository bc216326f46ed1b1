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

/** A section of a page, as HTML below its heading. */
export interface Part {
  readonly heading: string;
  /** The heading in a word or two, for the links on top. */
  readonly link: string;
  /** One line below the heading: how to read what follows. */
  readonly lead?: string;
  /** Empty where there is nothing to show. */
  readonly content: readonly string[];
}

/** Sections in order, below links to each; those without content are left out. */
export function sectionsWithLinks(parts: readonly Part[]): readonly string[] {
  const shown = parts.filter(({ content }) => content.length > 0);
  const links = shown.map(({ link }, i) => `<li><a href="#section-${i}">${escapeHtml(link)}</a></li>`);
  return [
    `<nav aria-label="Sections"><ul>${links.join("")}</ul></nav>`,
    ...shown.map(
      ({ heading, lead, content }, i) =>
        `<section id="section-${i}">\n<h2>${escapeHtml(heading)}</h2>\n` +
        `${[...(lead === undefined ? [] : [paragraph(lead)]), ...content].join("\n")}\n</section>`,
    ),
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

/** Images and data set behind a table or chart. */
export function note(text: string): string {
  return `<p class="note">${escapeHtml(text)}</p>`;
}

export function warning(text: string): string {
  return `<p class="warning"><strong>Warning:</strong> ${escapeHtml(text)}</p>`;
}

export function preformatted(text: string): string {
  return `<pre>${escapeHtml(text)}</pre>`;
}

/** Shut until asked for; print opens it. */
export function details(summary: string, ...content: readonly string[]): string {
  return `<details><summary>${escapeHtml(summary)}</summary>\n${content.join("\n")}\n</details>`;
}

/** A chapter that is shut until asked for, with what it is about beside its name. */
export function fold(name: string, about: string, ...content: readonly string[]): string {
  return (
    `<details class="fold"><summary><h3>${escapeHtml(name)}</h3> <span>${escapeHtml(about)}</span></summary>\n` +
    `${content.join("\n")}\n</details>`
  );
}

/** Something to type into a terminal. */
export function command(text: string): string {
  return `<pre class="command" tabindex="0">${escapeHtml(text)}</pre>`;
}

/** @param kind how wide its columns are */
export function grid(figures: readonly string[], kind: "charts" | "small" = "charts"): string {
  return `<div class="grid${kind === "charts" ? "" : ` ${kind}`}">\n${figures.join("\n")}\n</div>`;
}

/** Text, or HTML that is safe already. */
export type Cell = string | { readonly html: string };

/** A row of a table that is not like the others. */
export interface SpecialRow {
  readonly cells: readonly Cell[];
  /** "group" heads the rows below it; "apart" is not measured here. */
  readonly kind: "group" | "apart";
}

export interface TableOptions {
  /** Columns of running text. */
  readonly text?: readonly number[];
  /** How the table is called, where no heading stands above it. */
  readonly label?: string;
}

/** A table whose first column is the row's heading. */
export function htmlTable(
  header: readonly string[],
  rows: readonly (readonly Cell[] | SpecialRow)[],
  { text = [], label }: TableOptions = {},
): string {
  const textClass = (column: number): string => (text.includes(column) ? ' class="text"' : "");
  const head = header.map((cell, x) => `<th scope="col"${textClass(x)}>${escapeHtml(cell)}</th>`).join("");
  const body = rows.map((row) => {
    const { cells, kind } = "cells" in row ? row : { cells: row, kind: undefined };
    if (kind === "group")
      return `<tr class="group"><th scope="rowgroup" colspan="${header.length}"><span>${cellHtml(cells[0] ?? "")}</span></th></tr>`;
    const [first = "", ...rest] = cells;
    const data = rest.map((cell, i) => `<td${textClass(i + 1)}>${cellHtml(cell)}</td>`);
    return `<tr${kind ? ` class="${kind}"` : ""}><th scope="row">${cellHtml(first)}</th>${data.join("")}</tr>`;
  });
  return scrolling(
    `<table><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table>`,
    label ?? `Table: ${header.filter(Boolean).join(", ")}`,
  );
}

/** Something that may be wider than the page: it scrolls, and a shadow at its edge says so. */
export function scrolling(html: string, label: string): string {
  // What scrolls sideways must be reached by keyboard, and regions by name.
  return `<div class="wide" role="group" aria-label="${escapeHtml(label)}" tabindex="0">${html}</div>`;
}

function cellHtml(cell: Cell): string {
  return typeof cell === "string" ? escapeHtml(cell) : cell.html;
}

/** @param description what the picture shows, for those who do not see it */
export function embeddedPng(png: Uint8Array, description: string): string {
  return embeddedImage("png", png, description);
}

export function embeddedImage(kind: "png" | "webp", bytes: Uint8Array, description: string): string {
  const data = Buffer.from(bytes).toString("base64");
  return `<img alt="${escapeHtml(description)}" src="data:image/${kind};base64,${data}">`;
}

export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (character) => entities[character]!);
}
