import type { Attributes, Graph, Value } from "../graph/index.ts";
import { int, ints } from "../graph/index.ts";
import * as scatters from "./scatters.ts";
import * as singular from "./singular.ts";
import * as vjp from "./structured.ts";
import * as windows from "./windows.ts";

/** One node of the backward walk, as a rule sees it. Cotangents have the shapes of their outputs. */
export interface Step {
  readonly g: Graph;
  /** The node's inputs. */
  readonly x: readonly Value[];
  /** The node's first output, and the cotangent of the loss with respect to it. */
  readonly y: Value;
  readonly dy: Value;
  readonly ys: readonly Value[];
  /** Cotangents of all outputs; undefined where the loss does not depend on one. */
  readonly dys: readonly (Value | undefined)[];
  /** Whether a later operator selects among values (see `selectors`): dy may be 0 because a value is left out. */
  readonly masked: boolean;
  readonly a: Attributes;
}

/**
 * One function per input, returning the cotangent of that input; called only if the cotangent is needed. `null` if the
 * derivative is zero by definition (indices, conditions, steps). Results may still have the broadcast shape: the
 * backward walk sums them to the input's own shape.
 */
export type Rule = (step: Step) => readonly ((() => Value) | null)[];

const half = 0.5;
const invSqrtPi = 1 / Math.sqrt(Math.PI);

/** Vector-Jacobian products, one rule per operator. */
export const rules: Readonly<Record<string, Rule>> = {
  // Element-wise arithmetic
  Add: ({ dy }) => [() => dy, () => dy],
  Sub: ({ g, dy }) => [() => dy, () => g.neg(dy)],
  Mul: (step) => {
    const [a, b] = step.x as readonly [Value, Value];
    return [() => singular.timesUnlessLeftOut(step, b), () => singular.timesUnlessLeftOut(step, a)];
  },
  Div: (step) => {
    const { g, y, dy, x } = step;
    const [, b] = x as readonly [Value, Value];
    const guarded = (formula: Value): Value =>
      singular.staysFromZero(b) ? formula : singular.unlessLeftOut(step, formula);
    return [() => guarded(g.div(dy, b)), () => guarded(g.neg(g.mul(g.div(dy, b), y)))];
  },
  Pow: (step) => [() => vjp.powBase(step), () => vjp.powExponent(step)],
  Min: (step) => step.x.map((_, i) => () => vjp.shareAmongTies(step, i)),
  Max: (step) => step.x.map((_, i) => () => vjp.shareAmongTies(step, i)),
  Neg: ({ g, dy }) => [() => g.neg(dy)],
  Abs: ({ g, x: [x], dy }) => [() => g.mul(dy, g.sign(x!))],
  Sign: () => [null],
  Floor: () => [null],
  Ceil: () => [null],
  Round: () => [null],
  Sin: ({ g, x: [x], dy }) => [() => g.mul(dy, g.apply("Cos", [x!])[0]!)],
  Cos: ({ g, x: [x], dy }) => [() => g.neg(g.mul(dy, g.apply("Sin", [x!])[0]!))],
  Tan: ({ g, y, dy }) => [() => g.mul(dy, g.add(g.mul(y, y), 1))],
  Asin: (step) => [() => singular.overRoot(step, ({ g }, square) => g.sub(1, square))],
  Acos: (step) => [() => step.g.neg(singular.overRoot(step, ({ g }, square) => g.sub(1, square)))],
  Atan: ({ g, x: [x], dy }) => [() => g.div(dy, g.add(g.mul(x!, x!), 1))],
  Sinh: ({ g, x: [x], dy }) => [() => g.mul(dy, g.apply("Cosh", [x!])[0]!)],
  Cosh: ({ g, x: [x], dy }) => [() => g.mul(dy, g.apply("Sinh", [x!])[0]!)],
  Asinh: ({ g, x: [x], dy }) => [() => g.div(dy, g.sqrt(g.add(g.mul(x!, x!), 1)))],
  Acosh: (step) => [() => singular.overRoot(step, ({ g }, square) => g.sub(square, 1))],
  Atanh: (step) => {
    const { g, x, dy } = step;
    return [() => singular.unlessLeftOut(step, g.div(dy, g.sub(1, g.mul(x[0]!, x[0]!))))];
  },
  // a - b quotient, whose quotient is a step.
  Mod: ({ g, x: [a, b], y, dy }) => [() => dy, () => g.neg(g.mul(dy, g.div(g.sub(a!, y), b!)))],
  Sqrt: (step) => [() => singular.dividedUnlessZero(step, step.g.mul(step.dy, half), step.y, step.x[0]!)],
  Reciprocal: (step) => {
    const { g, y, dy, x } = step;
    const formula = (): Value => g.neg(g.mul(dy, g.mul(y, y)));
    return [() => (singular.staysFromZero(x[0]!) ? formula() : singular.unlessLeftOut(step, formula()))];
  },
  Exp: (step) => {
    const { g, y, dy, x } = step;
    const formula = (): Value => g.mul(dy, y);
    return [() => (singular.staysBelowOverflow(x[0]!) ? formula() : singular.unlessLeftOut(step, formula()))];
  },
  Log: (step) => {
    const { g, dy, x } = step;
    const formula = (): Value => g.div(dy, x[0]!);
    return [() => (singular.staysFromZero(x[0]!) ? formula() : singular.unlessLeftOut(step, formula()))];
  },
  Clip: ({ g, x: [x], y, dy }) => [() => g.where(g.equal(x!, y), dy, 0)],

  // Activations
  Relu: ({ g, x: [x], dy }) => [() => g.where(g.greater(x!, 0), dy, 0)],
  Sigmoid: ({ g, y, dy }) => [() => g.mul(dy, g.mul(y, g.sub(1, y)))],
  Tanh: ({ g, y, dy }) => [() => g.mul(dy, g.sub(1, g.mul(y, y)))],
  Softplus: ({ g, x: [x], dy }) => [() => g.mul(dy, g.sigmoid(x!))],
  Erf: ({ g, x: [x], dy }) => [() => g.mul(dy, g.mul(g.exp(g.neg(g.mul(x!, x!))), 2 * invSqrtPi))],
  Swish: ({ g, x: [x], dy, a }) => [() => g.mul(dy, vjp.swishDerivative(g, x!, a.alpha as number))],
  Gelu: (step) => [() => step.g.mul(step.dy, vjp.geluDerivative(step))],
  Softmax: (step) => [
    () => {
      const { g, dy, a } = step;
      const y = singular.selectedRows(step);
      return g.mul(y, g.sub(dy, g.reduceSum(g.mul(dy, y), { axes: [int(a, "axis")], keepDims: true })));
    },
  ],
  LogSoftmax: (step) => [
    () => {
      const { g, dy, a } = step;
      const sum = g.reduceSum(dy, { axes: [int(a, "axis")], keepDims: true });
      return g.sub(dy, g.mul(g.exp(singular.selectedRows(step)), sum));
    },
  ],

  // Comparison, logic, selection
  IsNaN: () => [null],
  IsInf: () => [null],
  Equal: () => [null, null],
  Greater: () => [null, null],
  GreaterOrEqual: () => [null, null],
  Less: () => [null, null],
  LessOrEqual: () => [null, null],
  Where: ({ g, x: [condition], dy }) => [null, () => g.where(condition!, dy, 0), () => g.where(condition!, 0, dy)],

  // Products
  MatMul: (step) => [() => vjp.matMulLeft(step), () => vjp.matMulRight(step)],
  Gemm: ({ g, x: [A, B], dy, a: { alpha, beta, transA, transB } }) => [
    () =>
      transA
        ? g.gemm(B!, dy, undefined, { alpha: alpha as number, transA: !!transB, transB: true })
        : g.gemm(dy, B!, undefined, { alpha: alpha as number, transB: !transB }),
    () =>
      transB
        ? g.gemm(dy, A!, undefined, { alpha: alpha as number, transA: true, transB: !!transA })
        : g.gemm(A!, dy, undefined, { alpha: alpha as number, transA: !transA }),
    () => (beta === 1 ? dy : g.mul(dy, beta as number)),
  ],
  Conv: (step) => [
    () => windows.convImage(step),
    () => windows.convWeight(step),
    () => step.g.reduceSum(step.dy, { axes: vjp.allBut(1, step.dy.rank) }),
  ],
  ConvTranspose: (step) => [
    () => windows.convTransposeImage(step),
    () => windows.convTransposeWeight(step),
    () => step.g.reduceSum(step.dy, { axes: vjp.allBut(1, step.dy.rank) }),
  ],
  MaxPool: (step) => [() => windows.maxPoolImage(step)],
  AveragePool: (step) => [() => windows.averagePoolImage(step)],

  // Reductions and normalisation
  ReduceSum: (step) => [() => vjp.spread(step)],
  ReduceMean: (step) => [() => step.g.div(vjp.spread(step), vjp.countOf(step.x[0]!, ints(step.a, "axes")))],
  ReduceMax: (step) => [() => vjp.shareAmongExtremes(step)],
  ReduceMin: (step) => [() => vjp.shareAmongExtremes(step)],
  // x / |x|, and 0 where the norm is 0.
  ReduceL2: ({ g, x: [x], y, dy, a }) => [
    () => g.mul(x!, vjp.restoreAxes(g, g.div(dy, g.where(g.equal(y, 0), 1, y)), x!, a)),
  ],
  ArgMax: () => [null],
  ArgMin: () => [null],
  TopK: (step) => [() => vjp.scatterTop(step)],
  LayerNormalization: (step) => [
    () => vjp.layerNormInput(step),
    () => step.g.mul(step.dy, vjp.normalized(step)),
    () => step.dy,
  ],

  // Shape
  Identity: ({ dy }) => [() => dy],
  Cast: ({ g, x: [x], dy }) => [() => g.cast(dy, x!.dtype)],
  Reshape: ({ g, x: [x], dy }) => [() => vjp.backInto(g, dy, x!)],
  Flatten: ({ g, x: [x], dy }) => [() => g.reshape(dy, x!.shape)],
  Squeeze: ({ g, x: [x], dy }) => [() => g.reshape(dy, x!.shape)],
  Unsqueeze: ({ g, x: [x], dy }) => [() => g.reshape(dy, x!.shape)],
  Transpose: ({ g, dy, a }) => [() => g.transpose(dy, vjp.inverse(ints(a, "perm")))],
  Concat: ({ g, x, dy, a }) => {
    const axis = int(a, "axis");
    const starts = vjp.partialSums(x.map((part) => part.shape[axis]!));
    return x.map((_, i) => () => g.slice(dy, { starts: [starts[i]!], ends: [starts[i + 1]!], axes: [axis] }));
  },
  Split: ({ g, ys, dys, a }) => [
    () =>
      g.concat(
        ys.map((part, i) => dys[i] ?? g.zeros(part.dtype, part.shape)),
        int(a, "axis"),
      ),
  ],
  Slice: (step) => [() => vjp.unslice(step)],
  Gather: ({ g, x: [x, indices], dy, a }) => [() => vjp.ungather(g, x!, indices!, dy, int(a, "axis")), null],
  GatherElements: ({ g, x: [x, at], dy, a }) => [
    () => g.apply("ScatterElements", [g.zeros(dy.dtype, x!.shape), at!, dy], { ...a, reduction: "add" })[0]!,
    null,
  ],
  GatherND: ({ g, x: [x, at], dy }) => [
    () => g.apply("ScatterND", [g.zeros(dy.dtype, x!.shape), at!, dy], { reduction: "add" })[0]!,
    null,
  ],
  ScatterElements: scatters.scatterElements,
  ScatterND: scatters.scatterND,
  CumSum: ({ g, dy, a }) => [() => g.apply("CumSum", [dy], { ...a, reverse: 1 - int(a, "reverse") })[0]!],
  Expand: ({ dy }) => [() => dy],
  Pad: (step) => [() => vjp.unpad(step)],
};
