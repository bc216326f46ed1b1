import { join } from "node:path";
import { expect, test } from "vitest";
import { type Rule, rules, type Step } from "../autodiff/rules.ts";
import { operators } from "../graph/operators/index.ts";
import { NEWEST_OPSET, OLDEST_OPSET } from "../onnx/canonical.ts";
import { alignedOperators } from "../onnx/legacy.ts";
import { composites } from "./composites/index.ts";
import { controls } from "./control.ts";
import { evaluators } from "./evaluators.ts";
import { rows } from "./honoured/index.ts";
import { attributesIn, placesOf, type Row, words } from "./honoured/row.ts";
import { maxUnrolled } from "./limits.ts";
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
/** ONNX Runtime's own on channels in blocks. */
const blocked = /^com\.microsoft\.nchwc:/;
/** Operators behind internal names: forms from old opsets. */
const oldForms = new Set([
  ...["FlatSoftmax", "FlatLogSoftmax", "FlatHardmax", "GroupwiseGroupNormalization"],
  ...alignedOperators.map((op) => `Aligned${op}`),
]);

function gradientOf(name: string): string {
  const rule = rules[name];
  if (!rule) return "none: it takes or gives no numbers";
  return isFlat(rule) ? "zero by definition" : "yes";
}

const known = ["Shape", "Size", "Constant", "ConstantOfShape", ...Object.keys(evaluators)];
/** Operators that the importer follows or leaves out rather than computes. */
const followed = ["CastLike", "Dropout", "Scatter", "Upsample", ...Object.keys(controls)];

function derivativeOf(name: string): string {
  if (blocked.test(name)) return "yes, written out in other operators";
  if (Object.hasOwn(controls, name)) return "of what it comes to";
  if (Object.hasOwn(rewrites, name)) return "as of the number that integers stand for";
  if (Object.hasOwn(composites, name) || followed.includes(name))
    return operators[name] ? gradientOf(name) : "yes, written out in other operators";
  return operators[name] ? gradientOf(name) : "none: only where its operands are known";
}

const cell = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");

function places(names: string | undefined, since: Row["outputsSince"] = {}): string {
  return cell(
    placesOf(names ?? "output")
      .filter(({ isHonoured }) => isHonoured)
      .map(({ name, repeats, isOptional }) => (repeats ? `${name}...` : isOptional ? `${name}?` : name)),
  ).replace(/`(\w+)`/g, (text, name: string) => (since[name] ? `${text} (from opset ${since[name]})` : text));
}

function attributesOf({ attributes, before7, only = {}, ignored = {} }: Row): string {
  const some = Object.entries(only).map(([name, values]) => `\`${name}\` (${values.join(", ")})`);
  const old = words(before7).map((name) => `\`${name}\` (before opset 7)`);
  const none = Object.entries(ignored).map(([name, why]) => `\`${name}\` (ignored: ${why})`);
  return [cell([...attributesIn(attributes).keys()]), ...some, ...old, ...none].filter((text) => text).join(", ");
}

function table(names: readonly string[]): readonly string[] {
  return [
    "| operator | inputs | outputs | attributes | gradient |",
    "|---|---|---|---|---|",
    ...names.toSorted().map((name) => {
      const row = rows[name]!;
      const cells = [places(row.inputs), places(row.outputs, row.outputsSince), attributesOf(row), derivativeOf(name)];
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
    `What can be imported and differentiated, of ONNX opsets ${OLDEST_OPSET} to ${NEWEST_OPSET}. This page is made from the tables in \`src/importing/\`,`,
    "`src/graph/operators/` and `src/autodiff/rules.ts` by a test, which fails when it is out of date; `npx vitest run",
    "operators-page -u` writes it anew. Every rule is checked against central differences, every operator that is written out in",
    "others against ONNX Runtime's own kernel, value and derivative; `bench/onnx-conformance.ts` runs the ONNX project's own tests.",
    "",
    "The tables say what is honoured. Any other attribute, value of an attribute, input, or output that is read, is refused by an",
    "error that names it.",
    "",
    "## Standard operators",
    "",
    ...table(others.filter((name) => !ours.test(name) && !blocked.test(name))),
    "",
    "Branches and loops are followed where it is known before the model runs which is taken and how often it runs, and sequences",
    `where their lengths are: at most ${maxUnrolled} nodes in all. Functions that a model defines are written out. Nothing is dropped in`,
    "`Dropout`: training is refused. So are strings and random numbers.",
    "",
    "## ONNX Runtime's own",
    "",
    ...table(others.filter((name) => ours.test(name))),
    "",
    "What it writes for one processor at its highest level of optimisation (`com.microsoft.nchwc`), where the file shows whether its",
    "channels lie in blocks of 8 or of 16:",
    "",
    ...table(others.filter((name) => blocked.test(name))).map((line) => line.replace("com.microsoft.nchwc:", "")),
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
  const computable = [
    ...Object.keys(rows).filter((name) => blocked.test(name)),
    ...Object.keys(operators),
    ...Object.keys(composites),
    ...Object.keys(rewrites),
    ...known,
  ];
  const names = new Set([...computable, ...followed].filter((name) => !oldForms.has(name)));
  expect(Object.keys(rows).sort()).toEqual([...names].sort());
});

test("docs/OPERATORS.md is what the tables say", async () => {
  await expect(page()).toMatchFileSnapshot(join(import.meta.dirname, "../../docs/OPERATORS.md"));
});
