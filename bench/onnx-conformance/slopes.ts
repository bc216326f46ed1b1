import { gradients } from "../../src/autodiff/index.ts";
import type { Value } from "../../src/graph/index.ts";
import { float32Model } from "../../src/importing/float32.ts";
import { importModel } from "../../src/importing/import-model.ts";
import type { OnnxModel } from "../../src/onnx/index.ts";
import { retyped } from "../../src/onnx/retyped.ts";
import { randomStream } from "../../src/random.ts";
import { compile } from "../../src/runtime/index.ts";
import type { Tensor } from "../../src/tensor/index.ts";
import { elementCount, type TypedArray } from "../../src/tensor/tensor.ts";
import type { TestData } from "./cases.ts";
import { arrayOf } from "./computed.ts";
import type { Slopes } from "./verdict.ts";

/** Elements of each input that are looked at. */
const ELEMENTS = 6;

/** How a function is differenced: by what step, and how far a derivative in float32 may be from that. */
interface Precision {
  readonly dtype: "float64" | "float32";
  readonly step: number;
  readonly tolerance: number;
}

/** In float64 the stencil is exact to 1e-9 or so: what is left are the float32 roundings of the rule. */
const double: Precision = { dtype: "float64", step: 2 ** -10, tolerance: 1e-3 };
/** Where there are no kernels of float64: roundings of 2^-24, divided by the step. */
const single: Precision = { dtype: "float32", step: 2 ** -5, tolerance: 1e-2 };

type Feeds = Readonly<Record<string, TypedArray>>;
type Floats = Float32Array | Float64Array;

/** A function of a model's inputs that gives one number, and the inputs at the test's point. */
interface Objective {
  readonly at: (feeds: Feeds) => Promise<number>;
  readonly feeds: Feeds;
  readonly dispose: () => Promise<void>;
}

/**
 * The derivatives of a random weighting of all floating-point outputs, beside central differences.
 *
 * @throws LoreError when there is no rule for an operator
 */
export async function slopesOf(model: OnnxModel, data: TestData): Promise<Slopes> {
  const { inputs, outputs } = importedFor(model, data);
  const x = [...inputs].filter(([, { dtype }]) => dtype.startsWith("float"));
  const y = [...outputs.values()].filter(({ dtype, shape }) => dtype.startsWith("float") && elementCount(shape) > 0);
  if (x.length === 0 || y.length === 0) return { kind: "none" };
  const derivatives = await derivativesOf(
    x.map(([, value]) => value),
    y,
    feedsOf(inputs, data),
  );
  const in64 = await objective(model, data, double).catch(() => undefined);
  const precision = in64 ? double : single;
  const f = in64 ?? (await objective(model, data, single));
  try {
    return await compared(
      f,
      precision,
      x.map(([name], i) => [name, derivatives[i]!] as const),
    );
  } finally {
    await f.dispose();
  }
}

const importedFor = (model: OnnxModel, { outputs }: TestData) =>
  importModel(model, { outputs: outputs.map(([name]) => name) });

const feedsOf = (inputs: ReadonlyMap<string, Value>, data: TestData): Feeds => {
  const samples = new Map(data.inputs);
  return Object.fromEntries([...inputs].map(([name, { dtype }]) => [name, arrayOf(samples.get(name)!, dtype)]));
};

function weightsOf(value: Value): readonly number[] {
  const random = randomStream("onnx-conformance");
  return Array.from({ length: elementCount(value.shape) }, () => 0.5 + random.uniform());
}

async function derivativesOf(x: readonly Value[], y: readonly Value[], feeds: Feeds) {
  const g = y[0]!.graph;
  const terms = y.map((value) => {
    const { dtype, shape } = value;
    const weights = g.constant({ dtype: "float64", shape, data: Float64Array.from(weightsOf(value)) });
    return g.cast(g.reduceSum(g.mul(value, g.cast(weights, dtype))), "float32");
  });
  const results = gradients(terms.reduce(g.add), x);
  const program = await compile(Object.fromEntries(results.map((dx, i) => [`d ${i}`, dx])), { threads: 1 });
  const arrays = await program.runFresh(feeds);
  await program.dispose();
  return results.map((_, i) => arrays[`d ${i}`] as Floats);
}

async function objective(model: OnnxModel, data: TestData, { dtype }: Precision): Promise<Objective> {
  const { inputs, outputs } = importedFor(dtype === "float64" ? inFloat64(model) : model, data);
  const values = [...outputs.values()].filter(
    (value) => value.dtype.startsWith("float") && elementCount(value.shape) > 0,
  );
  const weights = values.map(weightsOf);
  const program = await compile(Object.fromEntries(values.map((value, i) => [`y ${i}`, value])), { threads: 1 });
  const at = async (feeds: Feeds): Promise<number> => {
    const results = await program.run(feeds);
    return weights.flatMap((row, i) => row.map((w, j) => w * Number(results[`y ${i}`]![j]))).reduce((a, b) => a + b, 0);
  };
  return { at, feeds: feedsOf(inputs, data), dispose: () => program.dispose() };
}

function inFloat64(model: OnnxModel): OnnxModel {
  const single = float32Model(model).model;
  const convert = ({ shape, data }: Tensor): Tensor => ({
    ...{ dtype: "float64", shape, data: Float64Array.from(data as Float32Array) },
  });
  return { ...single, graph: retyped(single.graph, { from: "float32", to: "float64", convert }) };
}

async function compared(
  f: Objective,
  { step, tolerance }: Precision,
  derivatives: readonly (readonly [name: string, dx: ArrayLike<number>])[],
): Promise<Slopes> {
  let measured = 0;
  for (const [name, dx] of derivatives) {
    const scale = Math.max(1, ...Array.from(dx, Math.abs).filter(Number.isFinite));
    const count = Math.min(ELEMENTS, dx.length);
    for (const j of Array.from({ length: count }, (_, i) => Math.floor((i * dx.length) / count))) {
      const slope = await slopeAt(f, f.feeds[name] as Floats, j, step, tolerance);
      if (slope === undefined) continue;
      measured++;
      if (!(Math.abs(dx[j]! - slope) <= tolerance * scale))
        return { kind: "wrong", detail: `d/d ${name}[${j}] is ${dx[j]}, central differences say ${slope}` };
    }
  }
  return { kind: measured > 0 ? "right" : "unmeasurable" };
}

/** The derivative with respect to one element by central differences; undefined at kinks, jumps and where it is not finite. */
async function slopeAt(
  { at, feeds }: Objective,
  x: Floats,
  j: number,
  step: number,
  tolerance: number,
): Promise<number | undefined> {
  const centre = x[j]!;
  const moved = async (by: number): Promise<number> => {
    x[j] = centre + by;
    const y = await at(feeds);
    x[j] = centre;
    return y;
  };
  const h = step * Math.max(1, 2 ** Math.floor(Math.log2(Math.abs(centre) || 1)));
  const y0 = await moved(0);
  const [left2, left1, right1, right2] = [await moved(-2 * h), await moved(-h), await moved(h), await moved(2 * h)];
  const [left, right] = [await moved(-h / 2), await moved(h / 2)];
  const wide = (left2 - 8 * left1 + 8 * right1 - right2) / (12 * h);
  const narrow = (left1 - 8 * left + 8 * right - right1) / (6 * h);
  if (!Number.isFinite(wide) || !Number.isFinite(narrow)) return undefined;
  const close = tolerance * Math.max(1, Math.abs(narrow));
  if (Math.abs(wide - narrow) > close) return undefined;
  // One-sided differences part by the curvature times the step, which halves with it; at a kink they do not.
  const [bend1, bend] = [(right1 - 2 * y0 + left1) / h, (right - 2 * y0 + left) / (h / 2)];
  return Math.abs(bend) > close && Math.abs(bend) > 0.75 * Math.abs(bend1) ? undefined : narrow;
}
