import { join } from "node:path";
import { expect, test } from "vitest";
import { type Rule, rules, type Step } from "../autodiff/rules.ts";
import { operators } from "../graph/operators/index.ts";
import { composites } from "./composites/index.ts";
import { evaluators } from "./evaluators.ts";
import { rewrites } from "./quantized/float-graph.ts";

/** Whether a rule says, whatever the node, that there is nothing to differentiate: a step, a comparison, an index. */
function isFlat(rule: Rule): boolean {
  try {
    return rule({} as Step).every((pullback) => pullback === null);
  } catch {
    return false;
  }
}

function table(names: readonly string[], row: (name: string) => string): readonly string[] {
  return names.toSorted().map((name) => `| \`${name}\` | ${row(name)} |`);
}

const ours = /^com\.microsoft:/;
/** What other names stand for in here: forms of an operator in old opsets. */
const oldForms = new Set(["FlatSoftmax", "FlatLogSoftmax", "GroupwiseGroupNormalization"]);

function gradientOf(name: string): string {
  const rule = rules[name];
  if (!rule) return "none: it takes or gives no numbers";
  return isFlat(rule) ? "zero by definition" : "yes";
}

function page(): string {
  const written = Object.keys(composites).filter((name) => !oldForms.has(name));
  // Of what the graph has itself, imported models cannot bring what is rewritten in float32.
  const kept = Object.keys(operators).filter((name) => !Object.hasOwn(rewrites, name));
  const standard = [...new Set([...kept, ...written.filter((name) => !ours.test(name))])];
  const known = ["Shape", "Size", "Constant", "ConstantOfShape", ...Object.keys(evaluators)];
  return [
    "# Operators",
    "",
    "What can be imported and differentiated, of ONNX opsets 7 to 21. This page is made from the tables in `src/graph/operators/`,",
    "`src/autodiff/rules.ts` and `src/importing/` by a test, which fails when it is out of date; `npx vitest run -u operators-page`",
    "writes it anew. Every rule is checked against central differences, every operator that is written out in others against",
    "ONNX Runtime's own kernel, value and derivative.",
    "",
    "## Standard operators",
    "",
    "| operator | gradient |",
    "|---|---|",
    ...table(standard, (name) =>
      written.includes(name) && !operators[name] ? "yes, written out in other operators" : gradientOf(name),
    ),
    "",
    "`If` is followed where the condition is known before the model runs. `Dropout` is an identity. `Loop`, `Scan`, sequences, strings",
    "and random numbers are refused.",
    "",
    "## ONNX Runtime's own",
    "",
    "Written out in standard operators, with gradients:",
    "",
    written
      .filter((name) => ours.test(name))
      .toSorted()
      .map((name) => `\`${name.replace(ours, "")}\``)
      .join(", "),
    "",
    "## Quantised",
    "",
    "Weights become the float32 numbers that they stand for, activations are not rounded:",
    "",
    Object.keys(rewrites)
      .toSorted()
      .map((name) => `\`${name.replace(ours, "")}\``)
      .join(", "),
    "",
    "## Shape arithmetic",
    "",
    "On sizes and other known numbers these are done before the model runs:",
    "",
    known
      .toSorted()
      .map((name) => `\`${name}\``)
      .join(", "),
    "",
  ].join("\n");
}

test("docs/OPERATORS.md is what the tables say", async () => {
  await expect(page()).toMatchFileSnapshot(join(import.meta.dirname, "../../docs/OPERATORS.md"));
});
