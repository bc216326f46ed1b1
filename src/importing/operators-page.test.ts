import { join } from "node:path";
import { expect, test } from "vitest";
import { type Rule, rules, type Step } from "../autodiff/rules.ts";
import { operators } from "../graph/operators/index.ts";
import { composites } from "./composites/index.ts";
import { evaluators } from "./evaluators.ts";
import { rows } from "./honoured/index.ts";
import { placesOf, type Row, words } from "./honoured/row.ts";
import { rewrites } from "./quantized/rewrites.ts";

/** Whether a rule says, whatever the node, that there is nothing to differentiate: a step, a comparison, an index. */
function isFlat(rule: Rule): boolean {
  try {
    return rule({} as Step).every((pullback) => pullback === null);
  } catch {
    return false;
  }
}

const ours = /^com\.microsoft:/;
/** What other names stand for in here: forms of an operator in old opsets. */
const oldForms = new Set(["FlatSoftmax", "FlatLogSoftmax", "GroupwiseGroupNormalization"]);

function gradientOf(name: string): string {
  const rule = rules[name];
  if (!rule) return "none: it takes or gives no numbers";
  return isFlat(rule) ? "zero by definition" : "yes";
}

const known = ["Shape", "Size", "Constant", "ConstantOfShape", ...Object.keys(evaluators)];
/** What the importer follows or leaves out, rather than compute. */
const followed = ["CastLike", "If", "Dropout", "Upsample"];

function derivativeOf(name: string): string {
  if (name === "If") return "of the branch that is taken";
  if (Object.hasOwn(rewrites, name)) return "as of the number that integers stand for";
  if (Object.hasOwn(composites, name) || followed.includes(name))
    return operators[name] ? gradientOf(name) : "yes, written out in other operators";
  return operators[name] ? gradientOf(name) : "none: only where its operands are known";
}

const cell = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");

function places(names: string | undefined): string {
  return cell(
    placesOf(names ?? "output")
      .filter(({ isHonoured }) => isHonoured)
      .map(({ name, repeats }) => (repeats ? `${name}...` : name)),
  );
}

function attributesOf({ attributes, only = {}, ignored = {} }: Row): string {
  const some = Object.entries(only).map(([name, values]) => `\`${name}\` (${values.join(", ")})`);
  const none = Object.entries(ignored).map(([name, why]) => `\`${name}\` (ignored: ${why})`);
  return [cell(words(attributes)), ...some, ...none].filter((text) => text).join(", ");
}

function table(names: readonly string[]): readonly string[] {
  return [
    "| operator | inputs | outputs | attributes | gradient |",
    "|---|---|---|---|---|",
    ...names.toSorted().map((name) => {
      const row = rows[name]!;
      const cells = [places(row.inputs), places(row.outputs), attributesOf(row), derivativeOf(name)];
      return `| \`${name.replace(ours, "")}\` | ${cells.join(" | ")} |`;
    }),
  ];
}

function page(): string {
  const names = Object.keys(rows);
  const rewritten = names.filter((name) => Object.hasOwn(rewrites, name));
  const others = names.filter((name) => !Object.hasOwn(rewrites, name));
  return [
    "# Operators",
    "",
    "What can be imported and differentiated, of ONNX opsets 7 to 24. This page is made from the tables in `src/importing/`,",
    "`src/graph/operators/` and `src/autodiff/rules.ts` by a test, which fails when it is out of date; `npx vitest run",
    "operators-page -u` writes it anew. Every rule is checked against central differences, every operator that is written out in",
    "others against ONNX Runtime's own kernel, value and derivative; `bench/onnx-conformance.ts` runs the ONNX project's own tests.",
    "",
    "The tables say what is honoured. Any other attribute, value of an attribute, input, or output that is read, is refused by an",
    "error that names it.",
    "",
    "## Standard operators",
    "",
    ...table(others.filter((name) => !ours.test(name))),
    "",
    "`If` is followed where the condition is known before the model runs. Nothing is dropped in `Dropout`: training is refused.",
    "`Loop`, `Scan`, sequences, strings and random numbers are refused.",
    "",
    "## ONNX Runtime's own",
    "",
    ...table(others.filter((name) => ours.test(name))),
    "",
    "## Quantised",
    "",
    "Weights become the float32 numbers that they stand for; activations are not rounded, but saturate where their integers end:",
    "",
    ...table(rewritten),
    "",
    "## Shape arithmetic",
    "",
    "On sizes and other known numbers these are done before the model runs:",
    "",
    cell(known.toSorted()),
    "",
  ].join("\n");
}

test("what the tables honour is what can be computed", () => {
  const computable = [...Object.keys(operators), ...Object.keys(composites), ...Object.keys(rewrites), ...known];
  const names = new Set([...computable, ...followed].filter((name) => !oldForms.has(name)));
  expect(Object.keys(rows).sort()).toEqual([...names].sort());
});

test("docs/OPERATORS.md is what the tables say", async () => {
  await expect(page()).toMatchFileSnapshot(join(import.meta.dirname, "../../docs/OPERATORS.md"));
});
