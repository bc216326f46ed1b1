import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { Graph, type Value } from "../graph/index.ts";
import { operators } from "../graph/operators.ts";
import { compile, RuntimeError } from "../runtime/index.ts";
import { type Checks, elementwise, products, reductions, shape } from "../testing/checks/index.ts";
import { Draw } from "../testing/draw.ts";
import { checkGradients } from "../testing/gradcheck.ts";
import { gradients } from "./index.ts";
import { rules } from "./rules.ts";

/** One seed for everything, so that a run can be repeated; LORE_SEED tries others. */
const seed = Number(process.env.LORE_SEED ?? 2024);
const numRuns = Number(process.env.LORE_RUNS ?? 20);
/** Operators with many attributes get more cases. */
const many = new Set(["Conv", "Gather", "Gemm", "MatMul", "Pad", "Slice"]);

const groups: Readonly<Record<string, Checks>> = { elementwise, products, reductions, shape };
const checks: Checks = { ...elementwise, ...products, ...reductions, ...shape };

/** Graph operators without a rule: these take or give no floats, or occur only as part of another operator's gradient. */
const withoutRule = ["And", "ConvTranspose", "Not", "Or", "ScatterND"];

const summary = { cases: 0, float64: 0, float32: 0 };

describe.each(Object.entries(groups))("%s rules give central differences", (_, group) => {
  test.each(Object.entries(group))("%s", async (op, makeCase) => {
    const property = fc.asyncProperty(fc.gen(), async (gen) => {
      const errors = await checkGradients(makeCase(new Draw(gen)));
      summary.cases++;
      summary.float64 = Math.max(summary.float64, errors.float64 ?? 0);
      summary.float32 = Math.max(summary.float32, errors.float32);
    });
    await fc.assert(property, { seed, numRuns: many.has(op) ? 2 * numRuns : numRuns });
  });
});

test("every rule is checked, and every operator has a rule or is known to have none", () => {
  expect(Object.keys(checks).sort()).toEqual(Object.keys(rules).sort());
  expect([...Object.keys(rules), ...withoutRule].sort()).toEqual(Object.keys(operators).sort());
});

afterAll(() => {
  const { cases, float64, float32 } = summary;
  console.log(
    `${Object.keys(rules).length} rules, ${cases} cases; worst relative error ` +
      `${float64.toExponential(1)} in float64, ${float32.toExponential(1)} in float32`,
  );
});
