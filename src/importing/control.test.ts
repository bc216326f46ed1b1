import { describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import type { OnnxModel } from "../onnx/index.ts";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { elementCount } from "../tensor/index.ts";
import {
  bool,
  f32,
  i64,
  imported,
  inOnnxRuntime,
  int,
  ints,
  type SmallNode,
  smallModel,
  subgraph,
} from "../testing/small-model.ts";
import { importModel } from "./import-model.ts";

const boolean = { dtype: "bool", shape: [] } as const;
const count = { dtype: "int64", shape: [] } as const;
/** An output of a subgraph of which the file says no type: ONNX Runtime infers it. */
const untyped = (name: string) => ({ name, dtype: "float32", shape: [], unranked: true, untyped: true }) as const;

/** h <- h tanh(x + i), and what it is at every step; goes on while h is anything. */
const loopBody = subgraph({
  nodes: [
    ["Cast", "i", "step", { to: int(1) }],
    ["Add", "x step", "moved"],
    ["Tanh", "moved", "t"],
    ["Mul", "h t", "next"],
    ["Identity", "goes", "still"],
    ["Identity", "next", "seen"],
  ],
  inputs: { i: count, goes: boolean, h: [2, 3] },
  outputs: [{ name: "still", ...boolean }, "next", "seen"],
});

/** Stops behind the third step. */
const whileBody = subgraph({
  nodes: [
    ["Add", "h x", "sum"],
    ["Mul", "sum half", "next"],
    ["Add", "n one", "more"],
    ["Less", "more three", "again"],
  ],
  inputs: { i: count, goes: boolean, h: [2, 3], n: count },
  outputs: [{ name: "again", ...boolean }, "next", { name: "more", ...count }],
});

const scanBody = (first: string) =>
  subgraph({
    nodes: [
      ["Add", "s e", "sum"],
      ["Sigmoid", "sum", "next"],
      ["Mul", `next ${first}`, "seen"],
    ],
    inputs: { s: [3], e: [3] },
    outputs: ["next", "seen"],
  });

const branch = (op: string) => subgraph({ nodes: [[op, "x", "r"]], inputs: {}, outputs: [untyped("r")] });

const held = {
  five: i64(5),
  three: i64(3),
  one: i64(1),
  zero: i64(0),
  minus: i64(-2),
  yes: bool(1),
  no: bool(0),
  half: f32(0.5),
  start: f32([1, 2, 3, -1, -2, -3], [2, 3]),
  state: f32([0.5, -0.5, 1]),
  sizes: i64([2, 1]),
};

const cases: Readonly<Record<string, readonly SmallNode[]>> = {
  "If with branches of which the file says no type": [
    ["If", "no", "y", { then_branch: branch("Neg"), else_branch: branch("Exp") }],
  ],
  "Loop of a known count": [
    ["Loop", "five - start", "h seen", { body: loopBody }],
    ["ReduceMax", "seen", "m", { axes: ints(0), keepdims: int(0) }],
    ["Add", "h m", "y"],
  ],
  "Loop until what is known says so": [["Loop", "- yes x zero", "y n", { body: whileBody }]],
  "Loop until the one or the other": [["Loop", "one yes x zero", "y n", { body: whileBody }]],
  "Loop without a condition, whose body ends it": [["Loop", "five - x zero", "y n", { body: whileBody }]],
  "Loop that never runs, and what it collected": [
    [
      "Loop",
      "zero - start",
      "h seen",
      {
        body: subgraph({
          nodes: [
            ["Exp", "h", "next"],
            ["Neg", "h", "s"],
            ["Identity", "goes", "still"],
          ],
          inputs: { i: count, goes: boolean, h: [2, 3] },
          outputs: [{ name: "still", ...boolean }, "next", { name: "s", dtype: "float32", shape: [2, 3] }],
        }),
      },
    ],
    ["ReduceSum", "seen", "nothing", { keepdims: int(0) }],
    ["Add", "x nothing", "y"],
  ],
  "Loop that never runs": [["Loop", "zero - x", "y k", { body: loopBody }]],
  Scan: [
    ["Scan", "state x", "last seen", { body: scanBody("e"), num_scan_inputs: int(1) }],
    ["Add", "last seen", "y"],
  ],
  "Scan backwards, along another axis, with its results in front": [
    ["Transpose", "x", "xt"],
    [
      ...(["Scan", "state xt", "last seen"] as const),
      {
        ...{ body: scanBody("e"), num_scan_inputs: int(1), scan_input_axes: ints(1), scan_input_directions: ints(1) },
        ...{ scan_output_axes: ints(-1), scan_output_directions: ints(1) },
      },
    ],
    ["Transpose", "seen", "back"],
    ["Add", "last back", "y"],
  ],
  "sequences that are made, changed and read": [
    ["Exp", "x", "e"],
    ["SequenceConstruct", "x e", "a"],
    ["SequenceInsert", "a start one", "b"],
    ["SequenceErase", "b minus", "c"],
    ["SequenceInsert", "c e", "d"],
    ["SequenceAt", "d minus", "p"],
    ["SequenceLength", "d", "n"],
    ["Cast", "n", "nf", { to: int(1) }],
    ["Mul", "p nf", "q"],
    ["ConcatFromSequence", "d", "all", { axis: int(0) }],
    ["ConcatFromSequence", "d", "stack", { axis: int(-1), new_axis: int(1) }],
    ["ReduceSum", "all", "s", { keepdims: int(0) }],
    ["ReduceSum", "stack", "t", { keepdims: int(0) }],
    ["Mul", "s t", "u"],
    ["Add", "q u", "y"],
  ],
  "sequences that are split": [
    ["SplitToSequence", "x sizes", "a", { axis: int(1) }],
    ["SequenceAt", "a zero", "p"],
    ["SplitToSequence", "p", "b", { axis: int(0), keepdims: int(0) }],
    ["SequenceAt", "b one", "q"],
    ["SplitToSequence", "x two", "c", { axis: int(1) }],
    ["SequenceAt", "c one", "r"],
    ["Mul", "r q", "y"],
  ],
  optionals: [
    ["Optional", "x", "o"],
    ["OptionalHasElement", "o", "has"],
    ["OptionalGetElement", "o", "e"],
    ["If", "has", "y", { then_branch: branch("Exp"), else_branch: branch("Neg") }],
  ],
};

const modelOf = (nodes: readonly SmallNode[]): OnnxModel =>
  smallModel({ nodes, inputs: { x: [2, 3] }, held: { ...held, two: i64(2) } });

const x = f32([0.3, -0.7, 1.2, 0.9, -1.1, 0.4], [2, 3]);

describe("what is followed is what ONNX Runtime computes, and so is its derivative", () => {
  test.each(Object.entries(cases))("%s", async (_, nodes) => {
    const model = modelOf(nodes);
    const expected = (await inOnnxRuntime(model, { x })).y!;
    const { y } = await imported(model, { x });
    expect(y!.length).toBe(expected.length);
    // Both are ONNX Runtime's kernels, in another order perhaps.
    for (const [i, value] of expected.entries()) expect(y![i]).toBeCloseTo(value, 5);

    const { graph: g, inputs, outputs } = importModel(model);
    const random = randomStream("control");
    const weights = Float32Array.from(expected, () => random.normal());
    const out = outputs.get("y")!;
    const loss = g.reduceSum(g.mul(out, g.constant({ dtype: "float32", shape: out.shape, data: weights })));
    const [dx] = gradients(loss, [inputs.get("x")!]);
    const program = await compile({ dx: dx! }, { threads: 1 });
    const { dx: slopes } = await program.run({ x: x.data });
    const direction = Array.from({ length: elementCount(x.shape) }, () => random.normal());
    const exact = direction.reduce((sum, u, i) => sum + u * Number(slopes[i]), 0);
    const at = async (step: number): Promise<number> => {
      const moved = { ...x, data: x.data.map((value, i) => value + step * direction[i]!) };
      const result = (await inOnnxRuntime(model, { x: moved })).y!;
      return result.reduce((sum, value, i) => sum + value * weights[i]!, 0);
    };
    const h = 2 ** -7;
    const numeric = (8 * ((await at(h)) - (await at(-h))) - ((await at(2 * h)) - (await at(-2 * h)))) / (12 * h);
    // Rounding of float32 over the step.
    expect(Math.abs(numeric - exact)).toBeLessThan(5e-3 * Math.max(1, Math.abs(exact)));
  });
});

describe("what cannot be followed is refused", () => {
  test.each([
    [
      "a count that the image decides",
      [
        ["ReduceMax", "x", "m", { keepdims: int(0) }],
        ["Cast", "m", "n", { to: int(7) }],
        ["Loop", "n - start", "y -", { body: loopBody }],
      ],
      /Loop y: how often it runs depends on the image/,
    ],
    [
      "a condition that the image decides",
      [
        ["ReduceMax", "x", "m", { keepdims: int(0) }],
        ["Cast", "m", "n", { to: int(7) }],
        ["Loop", "- yes x n", "y k", { body: whileBody }],
      ],
      /Loop y: when it ends depends on the image/,
    ],
    ["what never ends", [["Loop", "- - start", "y -", { body: loopBody }]], /Loop y: it never ends/],
    ["too many runs", [["Loop", "many - start", "y -", { body: loopBody }]], /come to more than 65536 nodes/],
    [
      "a place that a sequence does not have",
      [
        ["SequenceConstruct", "x x", "a"],
        ["SequenceAt", "a five", "y"],
      ],
      /SequenceAt y: place 5 is not among 2/,
    ],
    ["a sequence where a tensor is needed", [["SequenceConstruct", "x x", "y"]], /y, which is a sequence/],
  ] as readonly (readonly [string, readonly SmallNode[], RegExp])[])("%s", (_, nodes, message) => {
    const model = smallModel({ nodes, inputs: { x: [2, 3] }, held: { ...held, many: i64(1_000_000_000) } });
    expect(() => importModel(model)).toThrow(message);
  });
});
