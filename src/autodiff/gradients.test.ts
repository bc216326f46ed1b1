import { describe, expect, test } from "vitest";
import { toOnnx } from "../graph/export.ts";
import { Graph, type Value } from "../graph/index.ts";
import { compile } from "../runtime/index.ts";
import { numbers } from "../testing/gradcheck.ts";
import { AutodiffError, gradients } from "./index.ts";

/** Values at a point of the graph's float64 inputs, by name. */
async function evaluate<const Outputs extends Readonly<Record<string, Value>>>(
  outputs: Outputs,
  at: Readonly<Record<string, readonly number[]>>,
) {
  const program = await compile(outputs, { threads: 1 });
  const feeds = Object.entries(at).map(([name, data]) => [name, numbers("float64", data)]);
  const results = await program.run(Object.fromEntries(feeds));
  return Object.fromEntries(
    Object.entries(results).map(([name, data]) => [name, Array.from(data as Float64Array, unsigned)]),
  );
}

/** Zero is zero, whatever its sign. */
const unsigned = (x: number): number => x + 0;

/** How often each operator occurs in what computes the values. */
function operatorsOf(...values: readonly Value[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  const { nodes } = toOnnx(Object.fromEntries(values.map((value, i) => [`y${i}`, value]))).graph;
  for (const { op } of nodes) counts[op] = (counts[op] ?? 0) + 1;
  return counts;
}

function vector(size = 3) {
  const g = new Graph();
  return { g, x: g.input("x", "float64", [size]) };
}

describe("the chain rule", () => {
  test("multiplies the links of a chain", async () => {
    const { g, x } = vector();
    const [dx] = gradients(g.reduceSum(g.exp(g.mul(g.tanh(x), 2))), [x]);
    const at = [-1, 0.5, 2];
    const { dx: actual } = await evaluate({ dx: dx! }, { x: at });
    const expected = at.map((v) => Math.exp(2 * Math.tanh(v)) * 2 * (1 - Math.tanh(v) ** 2));
    actual!.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 12);
    });
  });

  test("adds up over every use of a value", async () => {
    const { g, x } = vector(2);
    // x^2 + 3 x + x = x^2 + 4 x
    const [dx] = gradients(g.reduceSum(g.add(g.add(g.mul(x, x), g.mul(x, 3)), x)), [x]);
    expect(await evaluate({ dx: dx! }, { x: [1, -2] })).toEqual({ dx: [6, 0] });
  });

  test("adds up over branches that meet again", async () => {
    const { g, x } = vector(2);
    const shared = g.mul(x, x);
    // s exp(0) + s^2 with s = x^2: d = 2 x + 4 x^3
    const loss = g.reduceSum(g.add(g.mul(shared, g.exp(g.mul(x, 0))), g.mul(shared, shared)));
    const [dx] = gradients(loss, [x]);
    expect(await evaluate({ dx: dx! }, { x: [1, 2] })).toEqual({ dx: [6, 36] });
  });

  test("sums over what broadcasting repeated", async () => {
    const g = new Graph();
    const row = g.input("row", "float64", [3]);
    const column = g.input("column", "float64", [2, 1]);
    const [dRow, dColumn] = gradients(g.reduceSum(g.mul(row, column)), [row, column]);
    const result = await evaluate({ dRow: dRow!, dColumn: dColumn! }, { row: [1, 2, 3], column: [10, 20] });
    expect(result).toEqual({ dRow: [30, 30, 30], dColumn: [6, 6] });
    expect(dColumn!.shape).toEqual([2, 1]);
  });
});

describe("what can be asked for", () => {
  test("an intermediate result, beside the input behind it", async () => {
    const { g, x } = vector(2);
    const y = g.mul(x, x);
    const [dy, dx] = gradients(g.reduceSum(g.mul(y, y)), [y, x]);
    expect(await evaluate({ dy: dy!, dx: dx! }, { x: [1, 2] })).toEqual({ dy: [2, 8], dx: [4, 32] });
  });

  test("a constant", async () => {
    const { g, x } = vector(2);
    const scale = g.constant({ dtype: "float64", shape: [2], data: Float64Array.of(5, 7) });
    const [dScale] = gradients(g.reduceSum(g.mul(x, scale)), [scale]);
    expect(await evaluate({ dScale: dScale! }, { x: [1, 2] })).toEqual({ dScale: [1, 2] });
  });

  test("the loss itself, whose derivative is 1", async () => {
    const { g, x } = vector(2);
    const loss = g.reduceSum(x, { keepDims: true });
    const [one] = gradients(loss, [loss]);
    expect(await evaluate({ one: one! }, {})).toEqual({ one: [1] });
    expect(one!.shape).toEqual([1]);
  });

  test("the same value twice", () => {
    const { g, x } = vector();
    const [first, second] = gradients(g.reduceSum(g.mul(x, x)), [x, x]);
    expect(first).toBe(second);
  });

  test("a value that the loss does not depend on: zeros of its shape", async () => {
    const { g, x } = vector(2);
    const other = g.input("other", "float64", [2, 3]);
    const behind = g.exp(x);
    const [dOther, dBehind] = gradients(g.reduceSum(x), [other, behind]);
    const result = await evaluate({ dOther: dOther!, dBehind: dBehind! }, {});
    expect(result).toEqual({ dOther: [0, 0, 0, 0, 0, 0], dBehind: [0, 0] });
    expect(dOther!.shape).toEqual([2, 3]);
  });

  test("a value that reaches the loss only through steps and indices: zeros", async () => {
    const { g, x } = vector(3);
    const rows = g.cast(g.greater(x, 0), "float64");
    const [dx] = gradients(g.reduceSum(g.add(rows, g.cast(g.argMax(x, 0), "float64"))), [x]);
    expect(await evaluate({ dx: dx! }, {})).toEqual({ dx: [0, 0, 0] });
  });
});

describe("derivatives of derivatives", () => {
  test("x^4 has 4 x^3, 12 x^2, 24 x, 24, 0", async () => {
    const { g, x } = vector(3);
    const derivatives: Value[] = [];
    let y = g.pow(x, 4);
    for (let order = 1; order <= 5; order++) {
      y = gradients(g.reduceSum(y), [x])[0]!;
      derivatives.push(y);
    }
    const [d1, d2, d3, d4, d5] = derivatives;
    const result = await evaluate({ d1: d1!, d2: d2!, d3: d3!, d4: d4!, d5: d5! }, { x: [-2, 0, 3] });
    expect(result).toEqual({ d1: [-32, 0, 108], d2: [48, 0, 108], d3: [-48, 0, 72], d4: [24, 24, 24], d5: [0, 0, 0] });
  });

  test("a Hessian times a vector", async () => {
    const { g, x } = vector(2);
    const [a, b] = g.split(x, [1, 1]);
    // a^2 b has the Hessian [[2 b, 2 a], [2 a, 0]].
    const [dx] = gradients(g.reduceSum(g.mul(g.mul(a!, a!), b!)), [x]);
    const v = g.input("v", "float64", [2]);
    const [hv] = gradients(g.reduceSum(g.mul(dx!, v)), [x]);
    expect(await evaluate({ hv: hv! }, { x: [3, 5], v: [1, 10] })).toEqual({ hv: [70, 6] });
  });
});

describe("only what is asked for", () => {
  /** A classifier of two layers on [batch, 6] images. */
  function classifier() {
    const g = new Graph();
    const image = g.input("image", "float32", [4, 6]);
    const [w1, w2] = [g.input("w1", "float32", [6, 8]), g.input("w2", "float32", [8, 3])];
    const [b1, b2] = [g.input("b1", "float32", [8]), g.input("b2", "float32", [3])];
    const hidden = g.gelu(g.gemm(image, w1, b1));
    const loss = g.neg(g.reduceMean(g.logSoftmax(g.gemm(hidden, w2, b2))));
    return { loss, image, parameters: [w1, b1, w2, b2] };
  }

  test("the gradient of the image takes no products for the weights", () => {
    const { loss, image, parameters } = classifier();
    const [dImage] = gradients(loss, [image]);
    const all = gradients(loss, [image, ...parameters]);
    // Two products forwards; backwards one a layer for the image, and one more a layer for its weights.
    expect(operatorsOf(loss).Gemm).toBe(2);
    expect(operatorsOf(loss, dImage!).Gemm).toBe(4);
    expect(operatorsOf(loss, ...all).Gemm).toBe(6);
    expect(all[0]).toBe(dImage);
  });

  test("the gradient of the last layer does not go further back", () => {
    const { loss, parameters } = classifier();
    const [dLast] = gradients(loss, [parameters[3]!]);
    expect(operatorsOf(loss, dLast!).Gemm).toBe(2);
  });

  test("the gradient alone leaves out the loss, and recomputes nothing of the forward pass", () => {
    const { loss, image } = classifier();
    const [dImage] = gradients(loss, [image]);
    const counts = operatorsOf(dImage!);
    expect(counts.Gemm).toBe(4);
    expect(counts.LogSoftmax).toBe(1);
    expect(counts.ReduceMean).toBeUndefined();
    expect(operatorsOf(loss, dImage!).LogSoftmax).toBe(1);
  });

  test("asking for nothing adds nothing", () => {
    expect(gradients(classifier().loss, [])).toEqual([]);
  });
});

describe("what cannot be differentiated", () => {
  const message = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      expect(error).toBeInstanceOf(AutodiffError);
      return (error as AutodiffError).message;
    }
    throw new Error("nothing was thrown");
  };

  test("a loss of several elements", () => {
    const { g, x } = vector();
    const y = g.mul(x, 2);
    expect(message(() => gradients(y, [x]))).toBe(`The loss must be a single number, got ${y.name}: float64[3].`);
  });

  test("integers, as loss or as variable", () => {
    const { g, x } = vector();
    const index = g.input("index", "int64", [2]);
    const loss = g.reduceSum(g.gather(x, index));
    expect(message(() => gradients(loss, [x, index]))).toBe(
      "Only floating-point values have derivatives, not index: int64[2].",
    );
    const count = g.argMax(x, 0);
    expect(message(() => gradients(count, [x]))).toContain(`not ${count.name}: int64[]`);
  });

  test("a value of another graph", () => {
    const { g, x } = vector();
    expect(message(() => gradients(g.reduceSum(x), [vector(4).x]))).toBe(
      "x: float64[4] is not part of the loss's graph.",
    );
  });

  test("the statistics of LayerNormalization, named with the path from the loss through them to the variable", () => {
    const g = new Graph();
    const x = g.input("x", "float32", [2, 3]);
    const [, mean] = g.apply("LayerNormalization", [g.exp(x), g.input("scale", "float32", [3])]);
    const loss = g.reduceSum(g.mul(g.sqrt(mean!), 2));
    expect(message(() => gradients(loss, [x]))).toBe(
      `LayerNormalization: only its first output can be differentiated, but the loss uses ${mean}, ` +
        `on the path ${loss.name} <- ReduceSum <- Mul <- Sqrt <- LayerNormalization <- Exp <- x.`,
    );
  });

  test("but they are no obstacle beside the path", async () => {
    const { g, x } = vector(2);
    const y = g.input("y", "float64", [2]);
    const [, mean] = g.apply("LayerNormalization", [
      y,
      g.constant({ dtype: "float64", shape: [2], data: Float64Array.of(1, 1) }),
    ]);
    const [dx] = gradients(g.reduceSum(g.mul(g.cast(mean!, "float64"), x)), [x]);
    expect(await evaluate({ dx: dx! }, { y: [3, 11] })).toEqual({ dx: [7, 7] });
  });

  test("they are named beside the first output too", () => {
    const g = new Graph();
    const x = g.input("x", "float32", [2, 3]);
    const [y, mean] = g.apply("LayerNormalization", [x, g.input("scale", "float32", [3])]);
    const loss = g.add(g.reduceSum(mean!), g.reduceSum(y!));
    expect(message(() => gradients(loss, [x]))).toContain(`only its first output can be differentiated`);
  });
});
