import type { Graph, Value } from "../../graph/index.ts";
import { mismatch, range } from "../../graph/index.ts";
import type { Attributes } from "../../onnx/index.ts";
import { activations } from "./activations.ts";
import { maxSteps } from "./indexing.ts";
import { type Composite, type Composites, number, type Use } from "./use.ts";

/** Recurrent layers, written out step by step. Source: https://onnx.ai/onnx/operators/onnx__LSTM.html */
export const recurrents: Composites = {
  RNN: recurrent(1, ["Tanh"], ({ g, own: [i], bias, hidden, product, f: [f] }) => ({
    hidden: f!(g.add(g.add(i!, product(hidden, 0)), bias(0))),
  })),
  GRU: recurrent(
    3,
    ["Sigmoid", "Tanh"],
    ({ g, own: [z, r, h], bias, recurrence, hidden, product, f: [f, new_], a }) => {
      const gate = (part: Value, i: number): Value => f!(g.add(g.add(part, product(hidden, i)), bias(i)));
      const [update, reset] = [gate(z!, 0), gate(r!, 1)];
      const kept = a.linear_before_reset
        ? g.mul(reset, g.add(product(hidden, 2), recurrence(2)))
        : g.add(product(g.mul(reset, hidden), 2), recurrence(2));
      const candidate = new_!(g.add(g.add(h!, kept), g.sub(bias(2), recurrence(2))));
      return { hidden: g.add(g.mul(g.sub(1, update), candidate), g.mul(update, hidden)) };
    },
  ),
  LSTM: recurrent(4, ["Sigmoid", "Tanh", "Tanh"], (step) => {
    const {
      g,
      own,
      bias,
      hidden,
      product,
      cell,
      peephole,
      f: [f, cellInput, out],
      a,
    } = step;
    const sum = (i: number): Value => g.add(g.add(own[i]!, product(hidden, i)), bias(i));
    const peep = (value: Value, i: number, of: Value): Value =>
      peephole ? g.add(value, g.mul(peephole(i), of)) : value;
    const input = f!(peep(sum(0), 0, cell!));
    const forget = a.input_forget ? g.sub(1, input) : f!(peep(sum(2), 2, cell!));
    const next = g.add(g.mul(forget, cell!), g.mul(input, cellInput!(sum(3))));
    const output = f!(peep(sum(1), 1, next));
    return { hidden: g.mul(output, out!(next)), cell: next };
  }),
};

/** Operands of one step in one direction. Values are [N, H]. */
interface Step {
  readonly g: Graph;
  readonly a: Attributes;
  /** The step's own input times the weights, gate by gate. */
  readonly own: readonly Value[];
  readonly hidden: Value;
  readonly cell?: Value;
  /** A state times the recurrent weights of a gate. */
  readonly product: (state: Value, gate: number) => Value;
  /** Both biases of a gate together, and the recurrent one alone. */
  readonly bias: (gate: number) => Value;
  readonly recurrence: (gate: number) => Value;
  /** Peephole weights of the input, output and forget gate. */
  readonly peephole?: ((gate: number) => Value) | undefined;
  readonly f: readonly ((x: Value) => Value)[];
}

type Cell = (step: Step) => { readonly hidden: Value; readonly cell?: Value };

function recurrent(gates: number, defaults: readonly string[], cell: Cell): Composite {
  return (use) => {
    const { g, x, a } = use;
    const [given, weights] = x as readonly [Value, Value];
    const isBatchFirst = a.layout === 1;
    const inputs = isBatchFirst ? g.transpose(given, [1, 0, 2]) : given;
    const steps = inputs.shape[0]!;
    if (steps > maxSteps) mismatch(`its ${steps} steps are more than ${maxSteps}`);
    const directions = weights.shape[0]!;
    const runs = range(directions).map((direction) => {
      const backwards = directions === 2 ? direction === 1 : a.direction === "reverse";
      return run(use, inputs, { gates, defaults, cell, direction, backwards, isBatchFirst });
    });
    const stacked = (values: readonly Value[], axis: number): Value =>
      g.concat(
        values.map((value) => g.unsqueeze(value, [axis])),
        axis,
      );
    // [T, N, H] by direction as [T, directions, N, H], or [N, T, directions, H]; last states without T.
    const all = stacked(
      runs.map(({ outputs }) => outputs),
      1,
    );
    const last = (values: readonly Value[]): Value => stacked(values, isBatchFirst ? 1 : 0);
    const cells = runs.flatMap(({ last: { cell: state } }) => (state ? [state] : []));
    return [
      isBatchFirst ? g.transpose(all, [2, 0, 1, 3]) : all,
      last(runs.map(({ last: { hidden } }) => hidden)),
      ...(cells.length > 0 ? [last(cells)] : []),
    ];
  };
}

interface Run {
  readonly gates: number;
  readonly defaults: readonly string[];
  readonly cell: Cell;
  readonly direction: number;
  readonly backwards: boolean;
  readonly isBatchFirst: boolean;
}

function run({ g, x, a }: Use, inputs: Value, { gates, defaults, cell, direction, backwards, isBatchFirst }: Run) {
  const [, weights, recurrent, biases, lengths, initial, initialCell, peepholes] = x;
  const [steps, images] = inputs.shape as [number, number];
  const size = recurrent!.shape[2]!;
  const own = (value: Value): Value =>
    g.squeeze(g.slice(value, { starts: [direction], ends: [direction + 1], axes: [0] }), [0]);
  const state = (value: Value | undefined): Value => {
    if (!value) return g.zeros(inputs.dtype, [images, size]);
    const axis = isBatchFirst ? 1 : 0;
    return g.squeeze(g.slice(value, { starts: [direction], ends: [direction + 1], axes: [axis] }), [axis]);
  };
  const parts = (value: Value, count: number): readonly Value[] =>
    g.split(
      value,
      range(count).map(() => size),
      0,
    );
  const matrices = parts(own(recurrent!), gates).map((matrix) => g.swap(matrix));
  const both = biases ? parts(own(biases), 2 * gates) : [];
  const none = g.zeros(inputs.dtype, [size]);
  const peeps = peepholes ? parts(own(peepholes), 3) : undefined;
  // One product for the inputs of all steps, then step by step and gate by gate.
  const projected = g.matMul(inputs, g.swap(own(weights!)));
  const f = functionsOf(g, a, defaults, direction);
  const clipped = a.clip
    ? (h: (v: Value) => Value) => (v: Value) => h(g.clip(v, -number(a, "clip", 0), number(a, "clip", 0)))
    : undefined;
  let hidden = state(initial);
  let memory = gates === 4 ? state(initialCell) : undefined;
  const outputs: Value[] = [];
  for (const at of backwards ? range(steps).toReversed() : range(steps)) {
    const row = g.squeeze(g.slice(projected, { starts: [at], ends: [at + 1], axes: [0] }), [0]);
    const next = cell({
      ...{
        g,
        a,
        hidden,
        own: g.split(
          row,
          range(gates).map(() => size),
          1,
        ),
      },
      ...(memory && { cell: memory }),
      product: (value, gate) => g.matMul(value, matrices[gate]!),
      bias: (gate) => (biases ? g.add(both[gate]!, both[gate + gates]!) : none),
      recurrence: (gate) => (biases ? both[gate + gates]! : none),
      peephole: peeps && ((gate) => peeps[gate]!),
      f: clipped ? f.map((one, i) => (i === defaults.length - 1 && gates === 4 ? one : clipped(one))) : f,
    });
    // After the end of a sequence its state stays and its output is zero.
    const goesOn = lengths && g.greater(g.reshape(lengths, [-1, 1]), g.scalar(at, lengths.dtype));
    const kept = (now: Value, before: Value): Value => (goesOn ? g.where(goesOn, now, before) : now);
    outputs[at] = goesOn ? g.where(goesOn, next.hidden, 0) : next.hidden;
    hidden = kept(next.hidden, hidden);
    if (memory && next.cell) memory = kept(next.cell, memory);
  }
  const apart = outputs.map((output) => g.unsqueeze(output, [0]));
  return { outputs: g.concat(apart, 0), last: { hidden, ...(memory && { cell: memory }) } };
}

/** How many numbers the functions take, where they take any: alpha, beta. */
const parameters: Readonly<Record<string, number>> = {
  ...{ LeakyRelu: 1, ThresholdedRelu: 1, Elu: 1, HardSigmoid: 2, Affine: 2, ScaledTanh: 2 },
};

/** The functions of a direction's gates, with the numbers that are meant for them. */
function functionsOf(g: Graph, a: Attributes, defaults: readonly string[], direction: number) {
  const given = typeof a.activations === "string" && a.activations !== "" ? a.activations.split(",") : undefined;
  const names = given ?? [...defaults, ...defaults];
  const [alphas, betas] = [a.activation_alpha, a.activation_beta].map((list) => [
    ...((list as readonly number[]) ?? []),
  ]);
  const all = names.map((name) => {
    const count = parameters[name] ?? 0;
    const alpha = count > 0 ? alphas!.shift() : undefined;
    const beta = count > 1 ? betas!.shift() : undefined;
    return (x: Value): Value => activated(g, name, x, alpha, beta);
  });
  return all.slice(direction * defaults.length, (direction + 1) * defaults.length);
}

function activated(g: Graph, name: string, x: Value, alpha: number | undefined, beta: number | undefined): Value {
  switch (name) {
    case "Relu":
    case "Tanh":
    case "Sigmoid":
    case "Softplus":
      return g.apply(name, [x])[0]!;
    case "Affine":
      return g.add(g.mul(x, alpha ?? 1), beta ?? 0);
    case "ScaledTanh":
      return g.mul(g.tanh(g.mul(x, beta ?? 1)), alpha ?? 1);
    case "LeakyRelu":
    case "ThresholdedRelu":
    case "Elu":
    case "HardSigmoid":
    case "Softsign": {
      const a: Attributes = { ...(alpha !== undefined && { alpha }), ...(beta !== undefined && { beta }) };
      return activations[name]!({ g, x: [x], a })[0]!;
    }
    default:
      return mismatch(`the activation ${name} is not supported`);
  }
}
