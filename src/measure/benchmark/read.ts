import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { Fields } from "../../fields.ts";
import { isTemplateSet, openTemplates } from "../../inference/index.ts";
import { readYaml } from "../../text.ts";
import { attackFields, readAttacks } from "./attacks.ts";
import type { Suite, SuiteData } from "./suite.ts";

/** Suites that come with the package. */
export const suiteNames = ["zeroshot-13", "tiny"] as const;

const folder = fileURLToPath(new URL("../../../assets/suites", import.meta.url));

/** Fields of a set that the suite may set for all. */
const common = [...attackFields, "templates", "images", "seed", "resolution"];
const suiteFields = ["name", "sets", ...common];
const setFields = ["name", "title", "data", "split", "classes", "averaged", ...common];

/**
 * Reads the description of a benchmark: YAML or JSON with `sets`. Each set has `name` and `data`. Optional fields are
 * `title`, `split`, `classes` (names or a file), `templates` (a set's name, a file, one template, or a list), `attack`,
 * `epsilons`, `images`, `seed`, `averaged` and `resolution`. Attack, epsilons, templates, images, seed and resolution
 * may also stand beside `sets`, as defaults for all sets. Paths are relative to the file's folder.
 *
 * @param spec a file, or a suite that comes with the package: `zeroshot-13`, `tiny`
 * @throws UsageError that names file, set and field
 */
export function readSuite(spec: string): Suite {
  const file = existsSync(spec) ? spec : builtIn(spec);
  const place = `Suite ${file}`;
  const fields = new Fields(readYaml(file, place), place, suiteFields);
  const sets = fields
    .required("sets", fields.list("sets"))
    .map((value, i) => readSet(value, i, { place, folder: dirname(resolve(file)), all: fields }));
  const names = sets.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw new UsageError(`${place}: two sets are called ${twice}.`);
  return { name: fields.text("name") ?? spec, sets };
}

function builtIn(spec: string): string {
  if (suiteNames.some((name) => name === spec)) return join(folder, `${spec}.yaml`);
  throw new UsageError(`No suite ${spec}: there is no such file. Give one, or one of ${suiteNames.join(", ")}.`);
}

interface Context {
  readonly place: string;
  readonly folder: string;
  /** Fields that apply to all sets. */
  readonly all: Fields;
}

function readSet(value: unknown, index: number, { place, folder, all }: Context): SuiteData {
  const name = readName(new Fields(value, `${place}, set ${index + 1}`, setFields));
  const fields = new Fields(value, `${place}, set ${name}`, setFields);
  const by = (field: string): Fields => (fields.value(field) === undefined ? all : fields);
  const data = fields.required("data", fields.text("data"));
  const classes = fields.texts("classes");
  const templates = by("templates").texts("templates");
  const images = by("images").whole("images", 1);
  const seed = by("seed").whole("seed", 0);
  return {
    name,
    title: fields.text("title") ?? name,
    averaged: fields.flag("averaged") ?? true,
    data: existsSync(join(folder, data)) ? join(folder, data) : data,
    split: fields.text("split") ?? "test",
    attacks: readAttacks(by("attack"), by("epsilons")),
    resolution: by("resolution").oneOf("resolution", ["encoder", "native"]) ?? "encoder",
    ...(classes && { classes: typeof classes === "string" ? { file: pathOf(fields, folder, classes) } : classes }),
    ...(templates && {
      templates: by("templates").reading("templates", () => readTemplates(templates, folder)),
    }),
    ...defined({ images, seed }),
  };
}

/** Reads a set's name, which also names its results folder and its column. */
function readName(fields: Fields): string {
  const name = fields.required("name", fields.text("name"));
  if (/^\w[\w.-]*$/.test(name)) return name;
  throw fields.problem("name", `"${name}" may have letters, digits, dots, hyphens and underscores only.`);
}

function pathOf(fields: Fields, folder: string, path: string): string {
  const full = resolve(folder, path);
  if (existsSync(full)) return full;
  throw fields.problem("classes", `there is no file ${full}. Give a JSON file of class names, or a list of them.`);
}

function readTemplates(given: string | readonly string[], folder: string): readonly string[] {
  if (typeof given === "string")
    return openTemplates(isTemplateSet(given) || given.includes("{}") ? given : resolve(folder, given));
  const without = given.find((template) => !template.includes("{}"));
  if (without === undefined) return given;
  throw new UsageError(`"${without}" has no {} for the class's name.`);
}
