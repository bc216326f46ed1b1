import { expect, test } from "vitest";
import { f32, i64, imported, inOnnxRuntime, int, type SmallNode, smallModel, word } from "../testing/small-model.ts";
import { importModel } from "./import-model.ts";

const image = { x: [1, 2, 3, 4] as const };

test("scales that are computed from lists of the file are settings, not weights", async () => {
  const nodes: readonly SmallNode[] = [
    ["Shape", "x", "shape"],
    ["Cast", "shape", "size", { to: int(1) }],
    ["Gather", "size last", "sides"],
    ["Div", "wanted sides", "factors"],
    ["Concat", "ones factors", "scales", { axis: int(0) }],
    ["Resize", "x - scales", "y", { mode: word("linear") }],
  ];
  const held = { last: i64([2, 3]), wanted: f32([6, 6]), ones: f32([1, 1]) };
  const model = smallModel({ nodes, inputs: image, held });
  const { weights, outputs } = importModel(model);
  expect([...weights.keys()]).toEqual([]);
  expect(outputs.get("y")!.shape).toEqual([1, 2, 6, 6]);
  const feeds = {
    x: f32(
      Array.from({ length: 24 }, (_, i) => Math.sin(i)),
      image.x,
    ),
  };
  const [{ y: wanted }, { y }] = [await inOnnxRuntime(model, feeds), await imported(model, feeds)];
  for (const [i, value] of wanted!.entries()) expect(y![i]).toBeCloseTo(value, 5);
});

test.each<readonly [string, readonly SmallNode[]]>([
  ["Cast", [["Cast", "bound", "low", { to: int(1) }]]],
  ["CastLike", [["CastLike", "bound x", "low"]]],
  [
    "Squeeze of a product",
    [
      ["Cast", "bound", "float", { to: int(1) }],
      ["Mul", "float half", "list"],
      ["Squeeze", "list", "low"],
    ],
  ],
])("bounds are known through %s", async (_, nodes) => {
  const model = smallModel({
    nodes: [...nodes, ["Clip", "x low", "y"]],
    inputs: { x: [3] },
    held: { bound: i64(nodes.length > 1 ? [1] : 1, nodes.length > 1 ? [1] : []), half: f32([0.5]) },
  });
  const feeds = { x: f32([-1, 0.25, 2]) };
  expect((await imported(model, feeds)).y).toEqual((await inOnnxRuntime(model, feeds)).y);
});
