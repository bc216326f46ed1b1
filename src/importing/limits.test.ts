import { describe, expect, test } from "vitest";
import { GraphError } from "../graph/index.ts";
import { bool, f32, i64, imported, inOnnxRuntime, int, type SmallNode, smallModel } from "../testing/small-model.ts";
import { importModel } from "./import-model.ts";

const huge = 2 ** 31;
const held = {
  zero: i64(0),
  one: i64(1),
  huge: i64(huge),
  large: i64([4096, 4096]),
  square: i64([huge, huge]),
  tall: i64([huge, 1]),
  number: f32(1),
  scales: f32([1, 1, 1_000_000, 1_000_000]),
  list: i64(
    Array.from({ length: 300 }, (_, i) => i),
    [300, 1],
  ),
  row: i64(Array.from({ length: 300 }, (_, i) => i)),
  some: i64([70_000]),
};

const model = (nodes: readonly SmallNode[]) => smallModel({ nodes, inputs: { x: [1, 1, 2, 2] }, held });

/** Models of a few bytes that ask for gigabytes or hours. */
const asked: Readonly<Record<string, readonly SmallNode[]>> = {
  "a range": [
    ["Range", "zero huge one", "r"],
    ["Cast", "r", "f", { to: int(1) }],
    ["ReduceSum", "f", "y"],
  ],
  "an enlarged image": [["Resize", "x - scales", "y", { mode: { kind: "string", value: "linear" } }]],
  "an expanded number": [["Expand", "number square", "y"]],
  "an expanded image": [["Expand", "x square", "y"]],
  "a constant of a shape": [["ConstantOfShape", "square", "y"]],
  "a repeated number": [
    ["Expand", "number large", "a"],
    ["Tile", "a large", "y"],
  ],
  "a product of such": [
    ["Expand", "number large", "a"],
    ["Unsqueeze", "a one", "b"],
    ["Add", "a b", "y"],
  ],
  "one-hot rows": [
    ["Cast", "x", "i", { to: int(7) }],
    ["Expand", "number one", "v"],
    ["Concat", "v v", "off", { axis: int(0) }],
    ["OneHot", "i huge off", "y"],
  ],
  "many constants that are not too large each": [
    ...["a", "b", "c", "d"].map((name): SmallNode => ["ConstantOfShape", "large", name]),
    ["Exp", "a", "p"],
    ["Sin", "a", "q"],
    ["Sum", "x p q", "y"],
    ["Identity", "b", "unread"],
  ],
};

describe("what a file asks for in few bytes is refused, quickly and in little memory", () => {
  test.each(Object.entries(asked))("%s", (_, nodes) => {
    const before = process.memoryUsage().rss;
    const start = performance.now();
    expect(() => importModel(model(nodes))).toThrow(GraphError);
    expect(performance.now() - start).toBeLessThan(2000);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 * 2 ** 20);
  });
});

test("shape arithmetic beyond what is done at once is left to ONNX Runtime", async () => {
  const nodes: readonly SmallNode[] = [
    ["Mul", "list row", "products"],
    ["Cast", "products", "f", { to: int(1) }],
    ["ConstantOfShape", "some", "zeros"],
    ["ReduceSum", "zeros", "z", { keepdims: int(0) }],
    ["ReduceMax", "f", "m", { keepdims: int(0) }],
    ["Add", "m z", "n"],
    ["Mul", "x n", "y"],
  ];
  const x = f32([1, 2, 3, 4], [1, 1, 2, 2]);
  const given = model(nodes);
  expect((await imported(given, { x })).y).toEqual((await inOnnxRuntime(given, { x })).y);
});

test("operands that do not fit are errors of the node", () => {
  const broken: readonly (readonly SmallNode[])[] = [
    [["Gather", "some huge", "y"]],
    [["Add", "large row", "y"]],
    [["Reshape", "large some", "y"]],
    [["Concat", "large list", "y", { axis: int(0) }]],
  ];
  for (const nodes of broken) expect(() => importModel(model(nodes))).toThrow(GraphError);
  expect(() => importModel(smallModel({ nodes: [["Not", "b", "y"]], inputs: {}, held: { b: bool(1) } }))).not.toThrow();
});
