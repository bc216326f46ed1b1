import type { Graph, Value } from "../../graph/index.ts";
import type { Draw, RealOptions } from "../draw.ts";
import type { GradientCase } from "../gradcheck.ts";
import * as reference from "../reference.ts";
import { apply, type Checks, flat, onShape, unary } from "./check.ts";

/** Two operands that broadcast, or one operand used twice. */
const binary =
  (op: string, left: RealOptions = {}, right: RealOptions = left) =>
  (draw: Draw): GradientCase => {
    const [a, b] = draw.broadcasting(2);
    if (left === right && draw.int(0, 9) === 0) {
      return { inputs: [draw.real(a!, left)], build: (g, [x]) => g.apply(op, [x!, x!])[0]! };
    }
    return apply(op, [draw.real(a!, left), draw.real(b!, right)]);
  };

/** Powers of positive numbers, in both operands; or fixed whole powers of any number. */
const power = (draw: Draw): GradientCase => {
  if (draw.bool()) return binary("Pow", { low: 0.5 }, {})(draw);
  const exponent = draw.int(-2, 4);
  // A negative power has a pole at 0.
  const values: RealOptions = exponent < 0 ? { not: (x) => Math.abs(x) < 0.5 } : {};
  return { inputs: [draw.real(draw.shape(), values)], build: (g, [x]) => g.pow(x!, exponent) };
};

const extreme =
  (op: string) =>
  (draw: Draw): GradientCase =>
    apply(op, draw.distinct(draw.broadcasting(draw.int(1, 4), { maxElements: 16 })));

/** Selects between two functions of a and b by how they compare; no two values are equal, but some of their floors are. */
const comparison =
  (op: string) =>
  (draw: Draw): GradientCase => ({
    inputs: draw.distinct(draw.broadcasting(2), 0.25),
    build: (g, [a, b]) => {
      const operands = op === "Equal" ? [g.floor(a!), g.floor(b!)] : [a!, b!];
      return g.where(g.apply(op, operands)[0]!, g.mul(a!, a!), g.mul(b!, 3));
    },
  });

const where = (draw: Draw): GradientCase => {
  const [condition, a, b] = draw.broadcasting(3);
  return apply("Where", [draw.truths(condition!), draw.real(a!), draw.real(b!)]);
};

const gelu = (draw: Draw): GradientCase => {
  const x = draw.real(draw.shape(), { low: -4, high: 4 });
  if (draw.bool()) return { ...apply("Gelu", [x], { approximate: "tanh" }), reference: reference.geluTanh };
  return { ...apply("Gelu", [x]), reference: reference.gelu, rule64: false };
};

const swish = (draw: Draw): GradientCase => {
  const alpha = draw.bool() ? 1 : 1.702;
  return {
    ...apply("Swish", [draw.real(draw.shape(), { low: -4, high: 4 })], { alpha }),
    reference: reference.swish(alpha),
  };
};

const alongAxis = (op: string) => onShape(op, (draw, { length }) => ({ axis: draw.axis(length) }), { minRank: 1 });

const clip = (draw: Draw): GradientCase => {
  const [min, max] = [draw.bool() && { min: -1 }, draw.bool() && { max: 0.5 }];
  const not = (x: number) => (min && x === -1) || (max && x === 0.5) || false;
  return apply("Clip", [draw.real(draw.shape(), { not })], { ...min, ...max });
};

/** Remainder by divisors near 1.5. No quotient is near an integer, where the remainder jumps. */
const remainder = (draw: Draw): GradientCase => {
  const [a, b] = draw.broadcasting(2);
  const not = (x: number): boolean => Math.abs(x / 1.5 - Math.round(x / 1.5)) < 0.2;
  return apply("Mod", [draw.real(a!, { low: -4, high: 4, not }), draw.real(b!, { low: 1.45, high: 1.55 })], {
    fmod: 1,
  });
};

/** A function that ONNX Runtime has in float32 only. */
const single =
  (op: string, f: NonNullable<GradientCase["reference"]>, values?: RealOptions) =>
  (draw: Draw): GradientCase => ({ ...unary(op, values)(draw), reference: f, rule64: false });

/** Selects between two functions of x by whether something made of x is a number. */
const question =
  (ask: (g: Graph, x: Value) => Value) =>
  (draw: Draw): GradientCase => ({
    inputs: [draw.real(draw.shape(), { not: Number.isInteger })],
    build: (g, [x]) => g.where(ask(g, x!), g.mul(x!, x!), g.mul(x!, 3)),
  });

const isZero = (x: number) => x === 0;

export const elementwise: Checks = {
  Add: binary("Add"),
  Sub: binary("Sub"),
  Mul: binary("Mul"),
  Div: binary("Div", {}, { not: (x) => Math.abs(x) < 0.5 }),
  Pow: power,
  Min: extreme("Min"),
  Max: extreme("Max"),
  Neg: unary("Neg"),
  Abs: unary("Abs", { not: isZero }),
  Sign: flat({ not: isZero }, (g, x) => g.sign(x)),
  Floor: flat({ not: Number.isInteger }, (g, x) => g.floor(x)),
  Ceil: flat({ not: Number.isInteger }, (g, x) => g.apply("Ceil", [x])[0]!),
  Round: flat({ not: (x) => Number.isInteger(2 * x) }, (g, x) => g.apply("Round", [x])[0]!),
  Sin: single("Sin", reference.sin),
  Cos: single("Cos", reference.cos),
  Tan: single("Tan", reference.tan, { low: -1.25, high: 1.25 }),
  Asin: single("Asin", reference.asin, { low: -0.75, high: 0.75 }),
  Acos: single("Acos", reference.acos, { low: -0.75, high: 0.75 }),
  Atan: single("Atan", reference.atan),
  Sinh: single("Sinh", reference.sinh),
  Cosh: single("Cosh", reference.cosh),
  Asinh: single("Asinh", reference.asinh),
  Acosh: single("Acosh", reference.acosh, { low: 1.25, high: 4 }),
  Atanh: single("Atanh", reference.atanh, { low: -0.75, high: 0.75 }),
  Mod: remainder,
  Sqrt: unary("Sqrt", { low: 0.25, high: 4 }),
  Reciprocal: unary("Reciprocal", { not: (x) => Math.abs(x) < 0.5 }),
  Exp: unary("Exp"),
  Log: unary("Log", { low: 0.5, high: 4 }),
  Clip: clip,

  Relu: unary("Relu", { not: isZero }),
  Sigmoid: unary("Sigmoid", { low: -6, high: 6 }),
  Tanh: unary("Tanh", { low: -3, high: 3 }),
  Softplus: (draw) => ({ ...unary("Softplus", { low: -6, high: 6 })(draw), reference: reference.softplus }),
  Erf: (draw) => ({ ...unary("Erf")(draw), reference: reference.erfs }),
  Swish: swish,
  Gelu: gelu,
  Softmax: alongAxis("Softmax"),
  LogSoftmax: alongAxis("LogSoftmax"),

  // The logarithm of negative numbers is NaN; below 1 the divisor is 0.
  IsNaN: question((g, x) => g.apply("IsNaN", [g.log(x)])[0]!),
  IsInf: question((g, x) => g.apply("IsInf", [g.div(x, g.floor(x))], { detect_negative: 0 })[0]!),
  Equal: comparison("Equal"),
  Greater: comparison("Greater"),
  GreaterOrEqual: comparison("GreaterOrEqual"),
  Less: comparison("Less"),
  LessOrEqual: comparison("LessOrEqual"),
  Where: where,
};
