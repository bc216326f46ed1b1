import { expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { compile } from "../runtime/index.ts";
import { Graph, type Value } from "./index.ts";
import { inlined } from "./inline.ts";

/** One step of gradient descent on f(x) = sum (x - goal)^2 / 2, whose step is x' = x - rate (x - goal). */
function descent() {
  const g = new Graph();
  const [x, rate] = [g.input("x", "float32", [2]), g.input("rate", "float32", [])];
  const goal = g.constant({ dtype: "float32", shape: [2], data: Float32Array.of(1, -1) });
  const apart = g.sub(x, goal);
  const loss = g.mul(g.reduceSum(g.mul(apart, apart)), 0.5);
  const [gradient] = gradients(loss, [x]);
  return { next: g.sub(x, g.mul(rate, gradient)), loss };
}

it("makes one program of a step's graph, taken several times", async () => {
  const step = descent();
  const g = new Graph();
  const losses: Value[] = [];
  let given: Readonly<Record<string, Value>> = {};
  for (let i = 0; i < 3; i++) {
    const { next, loss } = inlined(g, step, given);
    given = { x: next };
    losses.push(loss);
  }
  expect(g.inputs.map(({ name }) => name)).toEqual(["x", "rate"]);

  const program = await compile({ next: given.x!, first: losses[0]!, last: losses[2]! });
  const result = await program.run({ x: Float32Array.of(3, 1), rate: Float32Array.of(0.5) });
  await program.dispose();
  // The distance to (1, -1), at first (2, 2), halves three times; numbers of few bits, so exactly.
  expect(result).toEqual({
    next: Float32Array.of(1.25, -0.75),
    first: Float32Array.of(4),
    last: Float32Array.of(0.25),
  });
});

it("refuses what does not fit, as any application does", () => {
  const { next } = descent();
  const g = new Graph();
  const wrong = g.input("wrong", "float32", [3]);
  expect(() => inlined(g, { next }, { x: wrong })).toThrow("Sub(wrong: float32[3], c");
});
