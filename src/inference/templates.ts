import { existsSync } from "node:fs";
import { UsageError } from "../errors.ts";
import { linesOf, readText } from "../text.ts";
import { type TemplateSet, templateSets } from "./template-sets.ts";

/** Placeholder for a class's name in a template. */
export const place = "{}";

/**
 * Prompt templates named on the command line. `spec` is the name of a set (`imagenet`, `cifar10`, ...), one template
 * (`"a photo of a {}"`), or a file with one template a line or a JSON array. In a file, `{c}` means the same as `{}`.
 *
 * @throws UsageError when it is none of these, or a template has no place for the name
 */
export function openTemplates(spec: string): readonly string[] {
  if (isTemplateSet(spec)) return templateSets[spec];
  if (spec.includes(place)) return [spec];
  if (existsSync(spec)) return readTemplates(spec);
  throw new UsageError(
    `Templates "${spec}": no such set or file, and no {} in it for the class's name. Sets: ${Object.keys(templateSets).join(", ")}. ` +
      `Or write a template such as "a photo of a {}", or give a file with one a line.`,
  );
}

export function isTemplateSet(name: string): name is TemplateSet {
  return Object.hasOwn(templateSets, name);
}

function readTemplates(path: string): readonly string[] {
  const templates = parse(path).map((template) => template.replaceAll("{c}", place));
  if (templates.length === 0) throw new UsageError(`Templates ${path}: the file holds none.`);
  const without = templates.findIndex((template) => !template.includes(place));
  if (without === -1) return templates;
  throw new UsageError(
    `Templates ${path}: number ${without + 1}, "${templates[without]}", has no {} for the class's name.`,
  );
}

function parse(path: string): readonly string[] {
  const text = readText(path);
  if (!text.trimStart().startsWith("[")) return linesOf(text).filter((line) => line.trim() !== "");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UsageError(
      `Templates ${path} begins like JSON but is not: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    );
  }
  if (Array.isArray(json) && json.every((entry) => typeof entry === "string")) return json;
  throw new UsageError(`Templates ${path}: a JSON array of strings is needed.`);
}

/** The prompts of one class. */
export function fillTemplates(templates: readonly string[], className: string): readonly string[] {
  return templates.map((template) => template.replaceAll(place, () => className));
}
