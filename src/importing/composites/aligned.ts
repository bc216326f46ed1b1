import type { Graph, Value } from "../../graph/index.ts";
import { axisIn } from "../../graph/index.ts";
import { alignedOperators } from "../../onnx/index.ts";
import { activations } from "./activations.ts";
import { type Composite, type Composites, number } from "./use.ts";

/** Operators as opsets before 7 had them, whose second operand is aligned with the first from some axis on. */
export const aligned: Composites = Object.fromEntries(
  alignedOperators.map((op): [string, Composite] => [
    `Aligned${op}`,
    ({ g, x: [a, b], a: { axis, ...attributes } }) => {
      const y = fromAxis(g, a!, b!, number({ axis: axis! }, "axis", 1));
      const composite = activations[op];
      return composite ? composite({ g, x: [a, y], a: attributes }) : g.apply(op, [a!, y], attributes);
    },
  ]),
);

/** The second operand with axes of size 1 behind its own, so that they broadcast. */
function fromAxis(g: Graph, a: Value, b: Value, axis: number): Value {
  const behind = a.rank - b.rank - axisIn(axis, a.rank);
  return b.rank === 0 || behind <= 0 ? b : g.reshape(b, [...b.shape, ...Array.from({ length: behind }, () => 1)]);
}
