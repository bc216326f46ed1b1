import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import type { Value } from "../graph/index.ts";
import { product } from "../graph/index.ts";
import type { OnnxModel } from "../onnx/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { randomStream } from "../random.ts";
import { type CompileOptions, modelOf, sessionOptions, usualThreads } from "../runtime/index.ts";
import { allocate } from "../tensor/index.ts";

/** Nodes of one kind, in one run of a program: how many, and the time they took together. */
export interface KernelTime {
  /** The operator; in `nodes` also the shapes of its operands and of its result. */
  readonly what: string;
  readonly count: number;
  readonly seconds: number;
  /** Operations of matrix products; 0 for everything else. */
  readonly flops: number;
}

/** Time of one run of a program, by kind of node; the slowest first. */
export interface Profile {
  readonly operators: readonly KernelTime[];
  /** The same time by operator and shapes. */
  readonly nodes: readonly KernelTime[];
}

/**
 * Profile of a program by ONNX Runtime's profiler on CPU, on random inputs: means over `repeats` runs after one warm-up.
 * Profiling costs some microseconds per node, so shares are more reliable than sums.
 */
export async function profile(
  outputs: Readonly<Record<string, Value>>,
  given: CompileOptions,
  repeats: number,
): Promise<Profile> {
  const options = { ...usualThreads(), ...given };
  const events = await kernelEvents(modelOf(outputs, options), sessionOptions(options), repeats + 1);
  const counted = events.slice(events.length / (repeats + 1));
  return {
    operators: summed(counted, repeats, ({ args }) => args.op_name),
    nodes: summed(counted, repeats, described),
  };
}

/** Element type to shape. */
type TypedShape = Readonly<Record<string, readonly number[]>>;

interface KernelEvent {
  readonly name: string;
  /** Microseconds. */
  readonly ts: number;
  readonly dur: number;
  readonly args: {
    readonly op_name: string;
    readonly input_type_shape: readonly TypedShape[];
    readonly output_type_shape: readonly TypedShape[];
  };
}

/** One event a node and run, in the order in which they ran. */
export async function kernelEvents(
  model: OnnxModel,
  settings: InferenceSession.SessionOptions,
  runs: number,
): Promise<readonly KernelEvent[]> {
  const folder = mkdtempSync(join(tmpdir(), "lore-profile-"));
  try {
    const profiling = { enableProfiling: true, profileFilePrefix: join(folder, "profile") };
    const session = await InferenceSession.create(encodeModel(model).bytes, { ...settings, ...profiling });
    const feeds = randomFeeds(model);
    for (let i = 0; i < runs; i++) await session.run(feeds);
    session.endProfiling();
    await session.release();
    const all = JSON.parse(readFileSync(join(folder, readdirSync(folder)[0]!), "utf8")) as readonly KernelEvent[];
    return all.filter(({ name }) => name.endsWith("_kernel_time")).toSorted((a, b) => a.ts - b.ts);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function randomFeeds({ graph }: OnnxModel): Readonly<Record<string, Tensor>> {
  const { uniform } = randomStream("profile");
  return Object.fromEntries(
    graph.inputs.map(({ name, dtype, shape }) => {
      const data = allocate(dtype, shape as readonly number[]);
      // Small, so that nothing overflows after many layers.
      if (data instanceof Float32Array) for (let i = 0; i < data.length; i++) data[i] = uniform(-0.05, 0.05);
      return [name, new Tensor(dtype, data, shape as number[])];
    }),
  );
}

function summed(
  events: readonly KernelEvent[],
  repeats: number,
  keyOf: (event: KernelEvent) => string,
): readonly KernelTime[] {
  const sums = new Map<string, KernelTime>();
  for (const event of events) {
    const what = keyOf(event);
    const { count, seconds, flops } = sums.get(what) ?? { count: 0, seconds: 0, flops: 0 };
    sums.set(what, {
      what,
      count: count + 1 / repeats,
      seconds: seconds + event.dur / 1e6 / repeats,
      flops: flops + flopsOf(event) / repeats,
    });
  }
  return [...sums.values()].toSorted((a, b) => b.seconds - a.seconds);
}

const shapeOf = (typed: TypedShape): readonly number[] => Object.values(typed)[0] ?? [];

function described({ args }: KernelEvent): string {
  const text = (typed: TypedShape): string => shapeOf(typed).join("x") || "number";
  return `${args.op_name} ${args.input_type_shape.map(text).join(", ")} -> ${args.output_type_shape.map(text).join(", ")}`;
}

/** Operations of a stack of m x k by k x n matrices, called Gemm or MatMul, fused or not. */
function flopsOf({ args }: KernelEvent): number {
  if (!/Gemm|MatMul/.test(args.op_name)) return 0;
  const [a, b, y] = [...args.input_type_shape.slice(0, 2), args.output_type_shape[0]!].map(shapeOf);
  const [m, n] = [y!.at(-2)!, y!.at(-1)!];
  // m k and k n, whichever of them lies transposed.
  const k = Math.sqrt((product(a!.slice(-2)) * product(b!.slice(-2))) / (m * n));
  return 2 * product(y!) * k;
}
