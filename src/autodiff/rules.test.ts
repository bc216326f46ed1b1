import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { Graph, type Value } from "../graph/index.ts";
import { operators } from "../graph/operators/index.ts";
import { reachable } from "../graph/reachable.ts";
import { compile, RuntimeError } from "../runtime/index.ts";
import { type Checks, elementwise, indexing, products, reductions, shape, windowed } from "../testing/checks/index.ts";
import { Draw } from "../testing/draw.ts";
import { checkGradients } from "../testing/gradcheck.ts";
import { gradients } from "./index.ts";
import { rules } from "./rules.ts";

/** One seed for everything, so that a run can be repeated; LORE_SEED tries others. */
const seed = Number(process.env.LORE_SEED ?? 2024);
const numRuns = Number(process.env.LORE_RUNS ?? 20);
/** Operators with many attributes get more cases. */
const many = new Set([
  "AveragePool",
  "Conv",
  "ConvTranspose",
  "Gather",
  "Gemm",
  "MatMul",
  "MaxPool",
  "Pad",
  "ScatterElements",
  "ScatterND",
  "Slice",
]);

const groups: Readonly<Record<string, Checks>> = { elementwise, products, windowed, reductions, shape, indexing };
const checks: Checks = { ...elementwise, ...products, ...windowed, ...reductions, ...shape, ...indexing };

/** Graph operators without a rule: these take or give no floats, or are made by passes after differentiation. */
const withoutRule = [
  ...["And", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "MatMulInteger", "Not", "Or"],
  ...["QuantizeLinear", "Xor"],
];

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

describe("float64", () => {
  /** Operators for which ONNX Runtime's CPU provider has no float64 kernels: these forward passes are evaluated in reference.ts. */
  const exceptions: Readonly<Record<string, (g: Graph, x: Value) => Value>> = {
    Softplus: (g, x) => g.softplus(x),
    Erf: (g, x) => g.erf(x),
    Gelu: (g, x) => g.gelu(x),
    // ONNX Runtime fuses it to its QuickGelu, which has no such kernel.
    Swish: (g, x) => g.swish(x),
    Conv: (g, x) => g.conv(x, x),
  };

  test.each(Object.entries(exceptions))("is still not to be had for %s", async (_, build) => {
    const g = new Graph();
    const x = g.input("x", "float64", [1, 1, 1]);
    await expect(compile({ y: build(g, x) })).rejects.toThrow(RuntimeError);
  });

  test("LayerNormalization keeps its statistics in float32, so its rule is checked at float32's precision", () => {
    const g = new Graph();
    const x = g.input("x", "float64", [2, 3]);
    const [, mean, inverseStd] = g.apply("LayerNormalization", [
      x,
      g.constant({ dtype: "float64", shape: [3], data: new Float64Array(3) }),
    ]);
    expect([mean!.dtype, inverseStd!.dtype]).toEqual(["float32", "float32"]);
  });
});

/** d sum(f(x)) / dx at a vector x. */
async function derivative(x: readonly number[], f: (g: Graph, x: Value) => Value): Promise<readonly number[]> {
  const g = new Graph();
  const input = g.input("x", "float32", [x.length]);
  const [dx] = gradients(g.reduceSum(f(g, input)), [input]);
  const program = await compile({ dx: dx! });
  return Array.from((await program.run({ x: Float32Array.from(x) })).dx, Number);
}

describe("where a function has no derivative", () => {
  const at = (x: number[], f: (g: Graph, x: Value) => Value, dx: number[]) => ({ x, f, dx });

  test.each([
    ["Abs, Sign and Relu have derivative 0 at 0", at([0, 0], (g, x) => g.add(g.abs(x), g.relu(x)), [0, 0])],
    ["Pow has derivative 0 where base and exponent are 0", at([0, 2], (g, x) => g.pow(x, 0), [0, 0])],
    ["Pow has derivative 0 for the exponent of 0", at([0, 1], (g, x) => g.pow(0, x), [0, 0])],
    ["ReduceL2 has derivative 0 at 0", at([0, 0], (g, x) => g.reduceL2(x), [0, 0])],
    ["Clip passes the cotangent on at its bounds", at([-1, 0, 1, 2], (g, x) => g.clip(x, -1, 1), [1, 1, 1, 0])],
    [
      "elements that tie for the largest share equally",
      at([3, 1, 3, 3], (g, x) => g.reduceMax(x), [1 / 3, 0, 1 / 3, 1 / 3]),
    ],
    [
      "elements that tie for the smallest share equally",
      at([1, 1, 3, 2], (g, x) => g.reduceMin(x), [1 / 2, 1 / 2, 0, 0]),
    ],
    ["operands that tie share equally", at([0, 1], (g, x) => g.max(x, 0, g.neg(x)), [0, 1])],
    ["one operand given twice counts once", at([2, 1], (g, x) => g.min(x, x), [1, 1])],
  ])("%s", async (_, { x, f, dx }) => {
    expect(await derivative(x, f)).toEqual(dx.map(Math.fround));
  });
});

describe("poles and infinite slopes", () => {
  /** f where a condition holds, and 0 elsewhere: as files avoid a pole. */
  const where = (holds: (g: Graph, x: Value) => Value, f: (g: Graph, x: Value) => Value) => (g: Graph, x: Value) =>
    g.where(holds(g, x), f(g, x), 0);
  const positive = where(
    (g, x) => g.greater(x, 0),
    (g, x) => g.log(x),
  );
  const squares = (g: Graph, x: Value): Value => g.reduceSum(g.mul(x, x));

  test.each<readonly [string, number[], (g: Graph, x: Value) => Value, number[]]>([
    ["a square root at 0", [0, 4], (g, x) => g.sqrt(x), [0, 0.25]],
    ["the norm of a zero vector, written out", [0, 0], (g, x) => g.sqrt(squares(g, x)), [0, 0]],
    [
      "a deviation of equal numbers, written out",
      [3, 3],
      (g, x) => g.sqrt(squares(g, g.sub(x, g.reduceMean(x)))),
      [0, 0],
    ],
    ["an arc sine at 1", [1, 0.6], (g, x) => g.apply("Asin", [x])[0]!, [0, 1.25]],
    ["an inverse hyperbolic cosine at 1", [1, 1.25], (g, x) => g.apply("Acosh", [x])[0]!, [0, 4 / 3]],
    [
      "an arc cosine that is left out",
      [2, 0.6],
      where(
        (g, x) => g.lessOrEqual(x, 1),
        (g, x) => g.apply("Acos", [x])[0]!,
      ),
      [0, -1.25],
    ],
    [
      "an inverse hyperbolic tangent that is left out",
      [1, 0.5],
      where(
        (g, x) => g.not(g.greaterOrEqual(x, 1)),
        (g, x) => g.apply("Atanh", [x])[0]!,
      ),
      [0, 4 / 3],
    ],
    ["a power below 1 at 0", [0, 4], (g, x) => g.pow(x, 0.5), [0, 0.25]],
    ["the norm of a zero vector as a power", [0, 0], (g, x) => g.pow(squares(g, x), 0.5), [0, 0]],
    ["a square at 0", [0, -3], (g, x) => g.pow(x, 2), [0, -6]],
    ["a logarithm that is left out", [0, 2], positive, [0, 0.5]],
    ["a logarithm that is left out, scaled behind it", [0, 2], (g, x) => positive(g, g.mul(x, 2)), [0, 0.5]],
    ["a logarithm that a bound cuts off", [0, 2], (g, x) => g.clip(g.log(x), -100, 100), [0, 0.5]],
    ["a logarithm that relu cuts off", [0, 2], (g, x) => g.relu(g.log(x)), [0, 0.5]],
    [
      "a quotient that is left out",
      [0, 2],
      where(
        (g, x) => g.greater(x, 0),
        (g, x) => g.div(1, x),
      ),
      [0, -0.25],
    ],
    [
      "x / x that is left out",
      [0, 2],
      where(
        (g, x) => g.greater(x, 0),
        (g, x) => g.div(g.mul(x, x), x),
      ),
      [0, 1],
    ],
    [
      "a reciprocal that is left out",
      [0, 2],
      where(
        (g, x) => g.greater(x, 0),
        (g, x) => g.reciprocal(x),
      ),
      [0, -0.25],
    ],
    [
      "a negative power that is left out",
      [0, 2],
      where(
        (g, x) => g.greater(x, 0),
        (g, x) => g.pow(x, -1),
      ),
      [0, -0.25],
    ],
    [
      "an exponential that overflows and is left out",
      [100, 0],
      (g, x) => g.where(g.greater(x, 1), x, g.exp(x)),
      [1, 1],
    ],
    ["the largest with a logarithm", [0, 2], (g, x) => g.max(g.log(x), -3), [0, 0.5]],
    [
      "a quotient by what an epsilon was added to",
      [0, 1],
      (g, x) => g.div(x, g.sqrt(g.add(g.mul(x, x), 1))),
      [1, 2 ** -1.5],
    ],
  ])("%s", async (_, x, f, dx) => {
    const got = await derivative(x, f);
    for (const [i, value] of dx.entries()) expect(got[i]).toBeCloseTo(value, 6);
  });

  test.each(["softmax", "logSoftmax"] as const)(
    "rows of %s that see nothing, and are replaced, pass back 0",
    async (op) => {
      const g = new Graph();
      const x = g.input("x", "float32", [2, 3]);
      const mask = g.constant({ dtype: "float32", shape: [2, 1], data: Float32Array.of(Number.NEGATIVE_INFINITY, 0) });
      const none = g.constant({ dtype: "bool", shape: [2, 1], data: Uint8Array.of(1, 0) });
      const weights = g.constant({ dtype: "float32", shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 7) });
      const masked = g.where(none, 0, g[op](g.add(x, mask)));
      const [dx] = gradients(g.reduceSum(g.mul(masked, weights)), [x]);
      const [plain] = gradients(g.reduceSum(g.mul(g[op](x), weights)), [x]);
      const program = await compile({ dx, plain });
      const result = await program.run({ x: Float32Array.of(1, 2, 3, 0.3, -0.2, 0.9) });
      expect(Array.from(result.dx.slice(0, 3) as Float32Array, Math.abs)).toEqual([0, 0, 0]);
      expect(result.dx.slice(3)).toEqual(result.plain.slice(3));
      expect(result.dx.slice(3)).not.toContain(0);
    },
  );

  test("guards are written only where they may be needed", () => {
    const ops = (f: (g: Graph, x: Value) => Value): readonly string[] => {
      const g = new Graph();
      const x = g.input("x", "float32", [2]);
      const [dx] = gradients(g.reduceSum(f(g, x)), [x]);
      return reachable([dx]).nodes.map(({ op }) => op);
    };
    expect(ops((g, x) => g.log(x))).not.toContain("Where");
    expect(ops((g, x) => g.div(1, x))).not.toContain("Where");
    expect(ops((g, x) => g.sqrt(g.add(g.mul(x, x), 1e-5)))).not.toContain("Where");
    expect(ops((g, x) => g.clip(g.div(x, 3), 0, 1)).filter((op) => op === "Where")).toHaveLength(1);
    expect(ops((g, x) => g.softmax(x))).not.toContain("Where");
  });
});

test("derivatives stay finite where exponentials overflow", async () => {
  const x = [-1000, -100, -20, 0, 20, 100, 1000];
  const functions: readonly ((g: Graph, x: Value) => Value)[] = [
    (g, x) => g.sigmoid(x),
    (g, x) => g.tanh(x),
    (g, x) => g.softplus(x),
    (g, x) => g.erf(x),
    (g, x) => g.gelu(x),
    (g, x) => g.gelu(x, "tanh"),
    (g, x) => g.mul(g.softmax(x), x),
    (g, x) => g.mul(g.logSoftmax(x), x),
  ];
  for (const f of functions) expect((await derivative(x, f)).every(Number.isFinite), `${f}`).toBe(true);
});

afterAll(() => {
  const { cases, float64, float32 } = summary;
  console.log(
    `${Object.keys(rules).length} rules, ${cases} cases; worst relative error ` +
      `${float64.toExponential(1)} in float64, ${float32.toExponential(1)} in float32`,
  );
});
