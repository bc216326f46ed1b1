import { expect, test } from "vitest";
import { kernelDifference, SLOPE_TOLERANCE } from "../../testing/kernels/check.ts";
import { type KernelCase, kernelCases } from "../../testing/kernels/index.ts";
import { composites } from "./index.ts";

function title({ op, opset, operands, attributes = {} }: KernelCase): string {
  const shown = operands.map((operand) => {
    if (operand === undefined) return "-";
    if (typeof operand === "string") return `[${operand}]`;
    const { dtype, shape } = "fed" in operand ? operand.fed : operand;
    return `${"fed" in operand ? "fed " : ""}${dtype}[${shape}]`;
  });
  const said = Object.entries(attributes).map(([name, { value }]) => `${name} ${JSON.stringify(value)}`);
  return [opset ? `${op}-${opset}` : op, `(${shown.join(", ")})`, ...said].join(" ");
}

test.each(kernelCases.map((one) => [title(one), one] as const))(
  "%s is what ONNX Runtime's kernel computes, and so is its derivative",
  async (_, one) => {
    const { value, slope = 0 } = await kernelDifference(one);
    expect(value).toBeLessThan(one.tolerance ?? 3e-5);
    expect(slope).toBeLessThan(SLOPE_TOLERANCE);
  },
);

/** Operators behind internal names: forms from old opsets, which are tested under the names that files use. */
const oldForms = /^(Aligned|Flat|Groupwise)/;

test("every composite is tried", () => {
  const tried = new Set(kernelCases.map(({ op }) => op));
  expect(Object.keys(composites).filter((name) => !tried.has(name) && !oldForms.test(name))).toEqual([]);
});
