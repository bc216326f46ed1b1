/** Derivative rules against central differences: how one case is measured. */
import { gradients } from "../autodiff/index.ts";
import { Graph, type Value } from "../graph/index.ts";
import { tensorOfNumbers } from "../onnx/constants.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { type DType, elementCount, type TypedArray } from "../tensor/tensor.ts";
import { type CaseInput, GRID } from "./draw.ts";
import type { Array64 } from "./reference.ts";

export interface GradientCase {
  readonly inputs: readonly CaseInput[];
  /** The function to differentiate, in whatever float type the inputs have. */
  readonly build: (g: Graph, x: readonly Value[]) => Value;
  /** The same function in float64, where ONNX Runtime cannot evaluate it; `y` is what `build` made. */
  readonly reference?: (x: readonly Array64[], y: Value) => Float64Array;
  /** False where ONNX Runtime has no float64 kernels for what the rule emits, or keeps float32 within them. */
  readonly rule64?: boolean;
}

export interface GradientErrors {
  /** Worst error of the rule run in float64; undefined where that is not possible. */
  readonly float64: number | undefined;
  readonly float32: number;
}

/** Cases are tiny: waking a second thread takes longer than their arithmetic. */
const oneThread = { threads: 1 };

/** Allowed difference of the float64 rule and the central differences: the latter's own truncation and rounding. */
export const TOLERANCE64 = 1e-9;
/**
 * Allowed difference of the float32 rule and float64 differences: 2^-24 for every rounding, times the few dozen operations
 * behind an element, times the sizes (up to about 10) of terms that partly cancel.
 */
export const TOLERANCE32 = 1e-5;

/**
 * The fourth-order stencil (f(x-2h) - 8 f(x-h) + 8 f(x+h) - f(x+2h)) / 12h errs by h^4/30 times the fifth derivative,
 * some 1e-15 here, and by rounding of about 1e-16 |f| / h, some 1e-12. A power of two keeps the points exact.
 */
const h = GRID / 64;
const stencil = [
  [-2, 1 / 12],
  [-1, -8 / 12],
  [1, 8 / 12],
  [2, -1 / 12],
] as const;

/**
 * Differentiates sum(y * w), with fixed random weights w, with respect to every float input: by the rules, run in float64
 * and in float32, and by central differences in float64. Throws where they differ by more than the tolerances.
 */
export async function checkGradients(of: GradientCase): Promise<GradientErrors> {
  const expected = await centralDifferences(of);
  const measure = async (dtype: "float64" | "float32", tolerance: number): Promise<number> => {
    const { floats, loss } = construct(of, dtype);
    const derivatives = gradients(loss, floats);
    const program = await compile(Object.fromEntries(derivatives.map((dx, i) => [`d${i}`, dx])), oneThread);
    const actual = await program.run(feeds(of, dtype));
    let worst = 0;
    floats.forEach((x, i) => {
      const dx = derivatives[i]!;
      if (dx.dtype !== x.dtype || `${dx.shape}` !== `${x.shape}`) throw new Error(`The gradient of ${x} is ${dx}.`);
      expected[i]!.forEach((numeric, j) => {
        const rule = Number(actual[`d${i}`]![j]);
        const error = Math.abs(rule - numeric) / Math.max(1, Math.abs(rule), Math.abs(numeric));
        if (!(error <= tolerance)) {
          throw new Error(
            `${describe(loss)}\nd loss / d ${x}, element ${j}: the rule gives ${rule} in ${dtype}, central differences ` +
              `${numeric}: a relative error of ${error}.\nInputs: ${JSON.stringify(of.inputs)}`,
          );
        }
        worst = Math.max(worst, error);
      });
    });
    await program.dispose();
    return worst;
  };
  return {
    float64: of.rule64 === false ? undefined : await measure("float64", TOLERANCE64),
    float32: await measure("float32", TOLERANCE32),
  };
}

/** d loss / d x in float64 for every float input. */
async function centralDifferences(of: GradientCase): Promise<readonly Float64Array[]> {
  const { loss, evaluate } = await forward64(of);
  const arrays = feeds(of, "float64");
  const weights = weightsFor(loss.shape);
  const result: Float64Array[] = [];
  for (const [i, { dtype, data }] of of.inputs.entries()) {
    if (dtype !== undefined) continue;
    const x = arrays[`x${i}`] as Float64Array;
    const derivative = new Float64Array(data.length);
    for (const [j, centre] of data.entries()) {
      for (const [steps, factor] of stencil) {
        x[j] = centre + steps * h;
        const y = await evaluate(arrays);
        for (const [k, weight] of weights.entries()) derivative[j]! += (factor / h) * weight * y[k]!;
      }
      x[j] = centre;
    }
    result.push(derivative);
  }
  return result;
}

type Evaluate = (arrays: Readonly<Record<string, TypedArray>>) => Promise<ArrayLike<number>>;

async function forward64(of: GradientCase): Promise<{ readonly loss: Value; readonly evaluate: Evaluate }> {
  const { y } = construct(of, "float64");
  if (of.reference) {
    const { reference } = of;
    const view = (arrays: Readonly<Record<string, TypedArray>>): readonly Array64[] =>
      of.inputs.map(({ shape }, i) => ({ shape, data: arrays[`x${i}`] as Float64Array }));
    return { loss: y, evaluate: async (arrays) => reference(view(arrays), y) };
  }
  const program = await compile({ y }, oneThread);
  return { loss: y, evaluate: async (arrays) => (await program.run(arrays)).y as Float64Array };
}

function construct({ inputs, build }: GradientCase, dtype: "float64" | "float32") {
  const g = new Graph();
  const x = inputs.map((input, i) => g.input(`x${i}`, input.dtype ?? dtype, input.shape));
  const y = build(g, x);
  const w = g.constant({ dtype: y.dtype, shape: y.shape, data: numbers(y.dtype, weightsFor(y.shape)) });
  const loss = g.reduceSum(g.mul(y, w));
  return { y, loss, floats: x.filter((_, i) => inputs[i]!.dtype === undefined) };
}

function weightsFor(shape: readonly number[]): readonly number[] {
  const random = randomStream("weights");
  return Array.from({ length: elementCount(shape) }, () => (random.below(128) - 63.5) * GRID);
}

function feeds({ inputs }: GradientCase, float: DType): Readonly<Record<string, TypedArray>> {
  return Object.fromEntries(inputs.map(({ dtype = float, data }, i) => [`x${i}`, numbers(dtype, data)]));
}

/** A typed array of plain numbers. */
export function numbers(dtype: DType, data: readonly number[]): TypedArray {
  return tensorOfNumbers(dtype, [data.length], data).data;
}

/** The operators behind a value with their inputs and attributes, first to last, for error messages. */
export function describe(value: Value): string {
  const lines: string[] = [];
  const seen = new Set<Value>();
  const visit = (v: Value): void => {
    if (seen.has(v) || v.origin.kind !== "node") return;
    seen.add(v);
    const { op, inputs, attributes } = v.origin.node;
    inputs.forEach(visit);
    lines.push(`${v} = ${op}(${inputs.map((input) => `${input}`).join(", ")}) ${JSON.stringify(attributes)}`);
  };
  visit(value);
  return lines.join("\n");
}
