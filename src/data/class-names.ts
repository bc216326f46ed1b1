import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { linesOf, readText } from "../text.ts";

/*
 * The text files that CLIP_benchmark keeps beside a data set: class names in the order of the labels, and templates
 * that make prompts of them.
 */

/** A `classnames.txt`: where it lies and what it says. */
export interface ClassNames {
  readonly path: string;
  /** Label i is `names[i]`. */
  readonly names: readonly string[];
}

/**
 * Reads `classnames.txt` (one name a line) in `folder` or one level above it; undefined where there is none.
 *
 * @throws {UsageError} when it cannot be read, is empty, or has an empty line, which would shift the names after it.
 */
export function findClassNames(folder: string): ClassNames | undefined {
  const path = findNear(folder, "classnames.txt");
  if (path === undefined) return undefined;
  const names = readLines(path);
  const empty = names.indexOf("");
  if (names.length === 0) throw new UsageError(`Class names ${path}: the file is empty. Write one name a line.`);
  if (empty !== -1) throw new UsageError(`Class names ${path}, line ${empty + 1}: no name. Write one name a line.`);
  return { path, names };
}

/**
 * Reads `zeroshot_classification_templates.txt` (one prompt a line, `{c}` or `{}` for the class's name) in `folder` or
 * one level above it; undefined where there is none. Empty lines say nothing.
 *
 * @returns Templates with `{}` for the class's name.
 * @throws {UsageError} when it cannot be read, holds none, or a line has no place for the name.
 */
export function findTemplates(folder: string): readonly string[] | undefined {
  const path = findNear(folder, "zeroshot_classification_templates.txt");
  if (path === undefined) return undefined;
  const templates = readLines(path).flatMap((line, i) => {
    if (line === "") return [];
    const template = line.replaceAll("{c}", "{}");
    if (template.includes("{}")) return [template];
    throw new UsageError(`Templates ${path}, line ${i + 1}: "${line}" has no {c} where the class's name goes.`);
  });
  if (templates.length === 0) throw new UsageError(`Templates ${path}: the file holds none.`);
  return templates;
}

function findNear(folder: string, name: string): string | undefined {
  const own = resolve(folder);
  return [own, dirname(own)].map((place) => join(place, name)).find((path) => existsSync(path));
}

/** Lines without surrounding spaces; empty ones at the end do not count. */
function readLines(path: string): string[] {
  const text = readText(path).trimEnd();
  return text === "" ? [] : linesOf(text).map((line) => line.trim());
}
