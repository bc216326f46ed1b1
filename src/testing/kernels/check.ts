import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { gradients } from "../../autodiff/index.ts";
import type { Value } from "../../graph/index.ts";
import { importModel } from "../../importing/import-model.ts";
import { encodeModel, numbersOf, type OnnxModel } from "../../onnx/index.ts";
import { randomStream } from "../../random.ts";
import { compile } from "../../runtime/index.ts";
import { elementCount, type Tensor, type TypedArray } from "../../tensor/tensor.ts";
import { type Drawn, type Fed, type KernelCase, type Operand, shapeOf } from "./case.ts";

const isDrawn = (operand: Operand): operand is Drawn => typeof operand === "string";
const isFed = (operand: Operand): operand is Fed => typeof operand === "object" && "fed" in operand;
const isHeld = (operand: Operand): operand is Tensor => typeof operand === "object" && "data" in operand;

/** The model of one node, its drawn inputs called `x0`, `x1` and so on by their places, as those that are fed. */
function modelOf({ op: name, opset = 21, operands, attributes = {}, outputs = [0], made = 0 }: KernelCase): OnnxModel {
  const [op, domain = ""] = name.split(":").reverse() as [string, string?];
  const names = operands.map((operand, i) => (operand === undefined ? "" : `x${i}`));
  const results = Array.from({ length: Math.max(made, ...outputs.map((i) => i + 1)) }, (_, i) =>
    made > 0 || outputs.includes(i) ? `y${i}` : "",
  );
  const inputs = operands.flatMap((operand, i) => {
    if (isDrawn(operand)) return [{ name: `x${i}`, dtype: "float32" as const, shape: shapeOf(operand) }];
    return isFed(operand) ? [{ name: `x${i}`, dtype: operand.fed.dtype, shape: operand.fed.shape }] : [];
  });
  const held = operands.flatMap((operand, i) => (isHeld(operand) ? [[`x${i}`, operand] as const] : []));
  return {
    irVersion: 10,
    opsets: new Map([
      ["", opset],
      ["com.microsoft", 1],
      ["com.microsoft.nchwc", 1],
    ]),
    ...{ producerName: "", producerVersion: "", metadata: new Map() },
    graph: {
      name: "",
      nodes: [{ op, domain, name: "node", inputs: names, outputs: results, attributes }],
      inputs,
      outputs: outputs.map((i) => ({ name: `y${i}`, dtype: "float32", shape: [], unranked: true, untyped: true })),
      initializers: new Map(held),
    },
  };
}

type Feeds = Readonly<Record<string, TypedArray>>;
type Results = readonly (readonly number[])[];

function drawn({ op, operands, low = -2, high = 2, not }: KernelCase): Feeds {
  const random = randomStream(op);
  const value = (): number => {
    const x = low + (high - low) * random.uniform();
    return typeof not === "function" && not(x) ? value() : x;
  };
  return Object.fromEntries(
    operands.flatMap((operand, i) => {
      if (isDrawn(operand)) return [[`x${i}`, new Float32Array(elementCount(shapeOf(operand))).map(value)]];
      return isFed(operand) ? [[`x${i}`, operand.fed.data]] : [];
    }),
  );
}

/** The operator in ONNX Runtime's own kernel. */
async function kernel(model: OnnxModel): Promise<(feeds: Feeds) => Promise<Results>> {
  const session = await InferenceSession.create(encodeModel(model).bytes, {
    ...{ intraOpNumThreads: 1, graphOptimizationLevel: "disabled", logSeverityLevel: 3 },
  });
  return async (feeds) => {
    const tensors = model.graph.inputs.map(({ name, dtype, shape }) => [
      name,
      new OrtTensor(dtype as "float32", feeds[name] as Float32Array, shape as number[]),
    ]);
    const results = await session.run(Object.fromEntries(tensors));
    return model.graph.outputs.map(({ name }) => Array.from(results[name]!.data as ArrayLike<number>, Number));
  };
}

async function original(of: KernelCase, model: OnnxModel): Promise<(feeds: Feeds) => Promise<Results>> {
  const { reference, operands } = of;
  if (!reference) return kernel(model);
  return async (feeds) =>
    reference(
      operands.map((operand, i) => {
        if (isHeld(operand)) return Float64Array.from(numbersOf(operand));
        return Float64Array.from((feeds[`x${i}`] as ArrayLike<number> | undefined) ?? [], Number);
      }),
    );
}

/** Errors of an operator's value and derivative. */
export interface KernelDifference {
  /** The largest error of a value, of 1 or of itself. */
  readonly value: number;
  /** The error of the derivative along a random direction, of 1 or of itself; undefined where there is none. */
  readonly slope: number | undefined;
}

/** How far a derivative may be from differences of a float32 kernel: rounding over the step, and the step's fourth power. */
export const SLOPE_TOLERANCE = 5e-3;

/** Step sizes, of which the best counts. Curvature and nearby kinks need small steps; rounding needs large ones. */
const steps = [2 ** -6, 2 ** -8, 2 ** -11];

/**
 * How far the importer's graph of an operator is from ONNX Runtime's own kernel, in value and derivative.
 *
 * @throws Error where sizes differ
 */
export async function kernelDifference(of: KernelCase): Promise<KernelDifference> {
  const model = modelOf(of);
  const feeds = drawn(of);
  const ask = await original(of, model);
  const expected = await ask(feeds);
  const { graph: g, inputs, outputs } = importModel(model);
  const random = randomStream("weights");
  const weights = expected.map(({ length }) => Float32Array.from({ length }, () => random.normal()));
  const ys = [...outputs.values()];
  const losses = ys.flatMap((y, i) => {
    if (y.dtype !== "float32") return [];
    if (elementCount(y.shape) !== expected[i]!.length)
      throw new Error(`output ${i} is ${y}, and should have ${expected[i]!.length} elements`);
    return [g.reduceSum(g.mul(y, g.constant({ dtype: "float32", shape: y.shape, data: weights[i]! })))];
  });
  const x = [...inputs.values()].filter((_, i) => model.graph.inputs[i]!.dtype === "float32");
  const moves = of.operands.flatMap((operand, i) => (isDrawn(operand) ? [`x${i}`] : []));
  const differentiated = x.filter(({ name }) => moves.includes(name));
  const derivatives = losses.length > 0 ? gradients(losses.reduce(g.add), differentiated) : [];
  const wanted: Record<string, Value> = Object.fromEntries([
    ...ys.map((y, i) => [`y${i}`, y] as const),
    ...derivatives.map((dx, i) => [`d${i}`, dx] as const),
  ]);
  const program = await compile(wanted, { threads: 1 });
  const result = await program.run(feeds);
  await program.dispose();
  const value = Math.max(
    ...expected.flatMap((numbers, i) =>
      numbers.map((number, j) => Math.abs(Number(result[`y${i}`]![j]) - number) / Math.max(1, Math.abs(number))),
    ),
  );
  if (of.not === "inside" || derivatives.length === 0) return { value, slope: undefined };

  const direction = differentiated.map(({ name }) => {
    const data = feeds[name] as Float32Array;
    return [name, data.map(() => random.normal())] as const;
  });
  const at = async (step: number): Promise<number> => {
    const moved = direction.map(([name, u]) => [name, (feeds[name] as Float32Array).map((v, i) => v + step * u[i]!)]);
    const results = await ask({ ...feeds, ...Object.fromEntries(moved) });
    return results.reduce(
      (sum, numbers, i) =>
        ys[i]!.dtype === "float32" ? numbers.reduce((inner, v, j) => inner + v * weights[i]![j]!, sum) : sum,
      0,
    );
  };
  const exact = direction.reduce(
    (sum, [, u], i) => u.reduce((inner, v, j) => inner + v * Number(result[`d${i}`]![j]), sum),
    0,
  );
  const errors: number[] = [];
  for (const h of steps) {
    const numeric = (8 * ((await at(h)) - (await at(-h))) - ((await at(2 * h)) - (await at(-2 * h)))) / (12 * h);
    errors.push(Math.abs(numeric - exact) / Math.max(1, Math.abs(exact)));
  }
  return { value, slope: Math.min(...errors) };
}
