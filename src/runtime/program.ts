import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { defined } from "../defined.ts";
import type { Value } from "../graph/index.ts";
import { toOnnx } from "../graph/index.ts";
import type { OnnxModel } from "../onnx/index.ts";
import { encodeModel } from "../onnx/index.ts";
import { fileOrder, largestBytes, optimizedProgram, type Target } from "../optimize/index.ts";
import { allocate, type DType, describeType, elementCount, storageClass, type TypedArray } from "../tensor/index.ts";
import type { Binding, Device, Tensors } from "./binding.ts";
import { RuntimeError } from "./errors.ts";

export interface CompileOptions extends Target {
  /**
   * @internal Release a run's memory on CPU after it, for several programs that run one after the other. The caller holds
   * it in the process by a `HeldHeap`; otherwise every run faults it in again. A program with values too large for that
   * (`fitsHeap`) keeps its memory anyway. Default: keep it.
   */
  readonly releaseMemory?: boolean;
  /**
   * @internal Release the cores after a run. Otherwise ONNX Runtime's threads busy-wait for 30 ms for the next run, beside
   * the threads of another running program. Waking them takes some 0.1 ms, so short runs of a single program are better
   * off without. Default: keep them.
   */
  readonly releaseCores?: boolean;
}

/** An input or output of a compiled graph. */
export interface Port {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * A compiled graph: one ONNX Runtime session with preallocated outputs.
 *
 * `run` takes one typed array an input (row-major, of the input's element type; read in place, never changed) and
 * returns one typed array an output. The outputs are the same arrays at every call: copy what must survive the next one,
 * or have `runFresh` make new ones.
 * Runs of one program must not overlap. `dispose` frees the session's native memory; the program is useless afterwards.
 */
export class Program<Name extends string = string> {
  readonly inputs: readonly Port[];
  readonly #binding: Binding;
  readonly #ports: readonly Port[];
  #preallocated: { readonly arrays: Readonly<Record<Name, TypedArray>>; readonly fetches: Tensors } | undefined;
  #session: InferenceSession | undefined;

  /** @internal Programs come from `compile`. */
  constructor(
    binding: Binding,
    session: InferenceSession,
    inputs: readonly Port[],
    outputs: Readonly<Record<Name, Port>>,
  ) {
    this.#binding = binding;
    this.#session = session;
    this.inputs = inputs;
    this.#ports = Object.entries<Port>(outputs).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  }

  /** The arrays that `run` writes to. */
  get outputs(): Readonly<Record<Name, TypedArray>> {
    return this.#outputs().arrays;
  }

  /**
   * @param feeds one array per input, by name; names that the program does not know are ignored, so that one record of
   *   parameters can serve several programs
   * @param into arrays that take the place of the program's own in this run, for all outputs; they may be inputs, since
   *   results are written at the end
   * @throws RuntimeError when an input is missing, or of another element type or length than declared
   */
  async run(
    feeds: Readonly<Record<string, TypedArray>>,
    into?: Readonly<Record<Name, TypedArray>>,
  ): Promise<Readonly<Record<Name, TypedArray>>> {
    const { arrays, fetches } = into ? { arrays: into, fetches: this.#fetches(into) } : this.#outputs();
    await this.#binding.runInto(this.#open(), this.#tensors(feeds), fetches);
    return arrays;
  }

  /**
   * Same as `run`, with new arrays for the results. Large results then take half the memory, since onnxruntime-node copies
   * its results even when it is given arrays for them. `discard` the arrays after use.
   */
  async runFresh(feeds: Readonly<Record<string, TypedArray>>): Promise<Readonly<Record<Name, TypedArray>>> {
    const results = await this.#open().run(this.#tensors(feeds));
    return Object.fromEntries(this.#ports.map(({ name }) => [name, results[name]!.data])) as Record<Name, TypedArray>;
  }

  #open(): InferenceSession {
    if (!this.#session) throw new RuntimeError("This program was disposed of.");
    return this.#session;
  }

  #tensors(feeds: Readonly<Record<string, TypedArray>>): Tensors {
    return Object.fromEntries(this.inputs.map((port) => [port.name, tensorOf(this.#binding, port, feeds[port.name])]));
  }

  #outputs() {
    if (this.#preallocated) return this.#preallocated;
    const named = this.#ports.map(({ name, dtype, shape }) => [name, allocate(dtype, shape)] as const);
    const arrays = Object.fromEntries(named) as Record<Name, TypedArray>;
    this.#preallocated = { arrays, fetches: this.#fetches(arrays) };
    return this.#preallocated;
  }

  #fetches(arrays: Readonly<Record<Name, TypedArray>>): Tensors {
    return Object.fromEntries(
      this.#ports.map((port) => [port.name, tensorOf(this.#binding, port, arrays[port.name as Name])]),
    );
  }

  async dispose(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.release();
  }
}

/**
 * An array as the tensor of a port; not copied.
 *
 * @throws RuntimeError when it is missing, or of another element type or length than declared
 */
export function tensorOf(binding: Binding, port: Port, data: TypedArray | undefined): OrtTensor {
  const wanted = `${port.name}: ${describeType(port.dtype, port.shape)}`;
  if (!data) throw new RuntimeError(`Input ${wanted} is missing.`);
  if (!(data instanceof storageClass(port.dtype))) {
    throw new RuntimeError(`Input ${wanted} takes a ${storageClass(port.dtype).name}, got a ${data.constructor.name}.`);
  }
  if (data.length !== elementCount(port.shape)) {
    throw new RuntimeError(`Input ${wanted} takes ${elementCount(port.shape)} elements, got ${data.length}.`);
  }
  return new binding.Tensor(port.dtype, data, port.shape as number[]);
}

/** `compile` for one build of ONNX Runtime. */
export function compilerFor(binding: Binding) {
  /**
   * Compiles the part of a graph that the outputs depend on into one ONNX Runtime session.
   *
   * @param outputs values of one graph, under the names that `run` returns them by
   * @throws RuntimeError when ONNX Runtime refuses the graph or the device is not available
   */
  return async function compile<const Outputs extends Readonly<Record<string, Value>>>(
    outputs: Outputs,
    options: CompileOptions = {},
  ): Promise<Program<keyof Outputs & string>> {
    const { session, inputs } = await openSession(binding, outputs, options);
    return new Program(binding, session, inputs, outputs as Record<keyof Outputs & string, Value>);
  };
}

const cudaLibraries =
  "CUDA needs Linux x64, CUDA 12, cuDNN 9, and libraries of ONNX Runtime that its package fetches with " +
  "ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js";

/** Advice on libraries missing for a device, if that caused the failure. They are too large for npm's registry. */
export function missingLibraries(device: Device, reason: string): string | undefined {
  return device === "cuda" && /failed to load/i.test(reason) ? cudaLibraries : undefined;
}

/**
 * A session of the part of a graph that the outputs depend on, and the inputs it takes.
 *
 * @param kept outputs that stay in the device's memory
 * @throws RuntimeError when ONNX Runtime refuses the graph or the device is not available
 */
export async function openSession(
  binding: Binding,
  outputs: Readonly<Record<string, Value>>,
  given: CompileOptions,
  kept: readonly string[] = [],
): Promise<{ readonly session: InferenceSession; readonly inputs: readonly Port[] }> {
  const options = { ...binding.defaults(), ...given };
  const compiled = optimized(outputs, options);
  const model = toOnnx(compiled, { order: fileOrder });
  const releaseMemory = options.releaseMemory === true && fitsHeap(Object.values(compiled));
  const locations = Object.fromEntries(kept.map((name) => [name, "gpu-buffer" as const]));
  const settings = {
    ...sessionOptions({ ...options, releaseMemory }),
    ...(kept.length > 0 && { preferredOutputLocation: locations }),
  };
  const session = await binding.createSession(encodeModel(model).bytes, settings).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const device = options.device ?? "cpu";
    const missing = missingLibraries(device, reason);
    const hint = missing === undefined ? "" : `\n${missing}`;
    throw new RuntimeError(`ONNX Runtime cannot run this graph on ${device}: ${reason}${hint}`, { cause });
  });
  return { session, inputs: model.graph.inputs as readonly Port[] };
}

/** Largest block in bytes from a held heap. It is here, not with `HeldHeap`, because this file also runs in browsers. */
export const largestHeapBlock = 31 * 2 ** 20;

/**
 * Whether malloc can keep a program's freed memory: its largest value must fit a block of the heap.
 *
 * @param compiled all values that the program computes, after our passes
 */
export function fitsHeap(compiled: readonly Value[]): boolean {
  return largestBytes(compiled) <= largestHeapBlock;
}

/** The model that ONNX Runtime is given to compile. */
export function modelOf(outputs: Readonly<Record<string, Value>>, options: CompileOptions): OnnxModel {
  return toOnnx(optimized(outputs, options), { order: fileOrder });
}

/** The outputs after all our passes, as `compile` hands them on. */
export function optimized(outputs: Readonly<Record<string, Value>>, target: Target): Readonly<Record<string, Value>> {
  const values = optimizedProgram(Object.values(outputs), target);
  return Object.fromEntries(Object.keys(outputs).map((name, i) => [name, values[i]!]));
}

/** ONNX Runtime's settings for these options. */
export function sessionOptions({
  device = "cpu",
  threads,
  releaseMemory = false,
  releaseCores = false,
}: CompileOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
    // A plan of a run's whole memory needs one block of that size, beside the pieces that the first run left: up to twice
    // the memory, for no measurable speed.
    ...(device === "cpu" && { enableMemPattern: false, enableCpuMemArena: !releaseMemory }),
    ...defined({ intraOpNumThreads: threads }),
    ...(releaseCores && { extra: { session: { force_spinning_stop: "1" } } }),
  };
}
