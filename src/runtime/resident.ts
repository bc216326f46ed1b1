import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { Graph, type Value } from "../graph/index.ts";
import { type DType, describeType, type TypedArray } from "../tensor/index.ts";
import type { Binding, Device } from "./binding.ts";
import { RuntimeError } from "./errors.ts";
import { type CompileOptions, openSession, type Port, tensorOf } from "./program.ts";

/**
 * A program's result. It is in the device's memory if the program keeps it there and the binding supports that, else in
 * host memory. The device's memory is freed only by `dispose`.
 */
export class DeviceTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** @internal */
  readonly tensor: OrtTensor;

  /** @internal Tensors come from programs and from `upload`. */
  constructor(port: Omit<Port, "name">, tensor: OrtTensor) {
    this.dtype = port.dtype;
    this.shape = port.shape;
    this.tensor = tensor;
  }

  get onDevice(): boolean {
    return this.tensor.location === "gpu-buffer";
  }

  /**
   * Elements of a tensor in host memory.
   *
   * @throws RuntimeError when it is in the device's; `download` brings it back
   */
  get data(): TypedArray {
    if (this.onDevice) throw new RuntimeError(`${describeType(this.dtype, this.shape)} is in the device's memory.`);
    return this.tensor.data as TypedArray;
  }

  dispose(): void {
    if (this.onDevice) this.tensor.dispose();
  }
}

/** Inputs of a program: arrays of host memory, or results of other programs on the same device. */
export type DeviceFeeds = Readonly<Record<string, TypedArray | DeviceTensor>>;

/**
 * A compiled graph whose results need not come back to host memory between two runs, or two programs. Unlike a
 * `Program`'s, its outputs are new tensors at every run, for the caller to dispose of.
 */
export class DeviceProgram<Name extends string = string> {
  readonly inputs: readonly Port[];
  readonly #binding: Binding;
  readonly #outputs: Readonly<Record<Name, Value>>;
  #session: InferenceSession | undefined;

  /** @internal Programs come from `compileOnDevice`. */
  constructor(
    binding: Binding,
    session: InferenceSession,
    inputs: readonly Port[],
    outputs: Readonly<Record<Name, Value>>,
  ) {
    this.#binding = binding;
    this.#session = session;
    this.inputs = inputs;
    this.#outputs = outputs;
  }

  /**
   * @param feeds one tensor an input, by name; names that the program does not know are ignored
   * @throws RuntimeError when an input is missing or of another type than declared
   */
  async run(feeds: DeviceFeeds): Promise<Readonly<Record<Name, DeviceTensor>>> {
    const session = this.#session;
    if (!session) throw new RuntimeError("This program was disposed of.");
    const tensors = Object.fromEntries(this.inputs.map((port) => [port.name, this.#tensor(port, feeds[port.name])]));
    const results = await session.run(tensors);
    const named = Object.entries<Value>(this.#outputs).map(([name, { dtype, shape }]) => {
      return [name, new DeviceTensor({ dtype, shape }, results[name] as OrtTensor)] as const;
    });
    return Object.fromEntries(named) as Record<Name, DeviceTensor>;
  }

  #tensor(port: Port, given: TypedArray | DeviceTensor | undefined): OrtTensor {
    if (!(given instanceof DeviceTensor)) return tensorOf(this.#binding, port, given);
    const [wanted, got] = [describeType(port.dtype, port.shape), describeType(given.dtype, given.shape)];
    if (wanted !== got) throw new RuntimeError(`Input ${port.name}: ${wanted} was given a ${got}.`);
    return given.tensor;
  }

  async dispose(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.release();
  }
}

/** Devices whose memory the binding hands out: onnxruntime-node 1.30 names it by WebGPU's buffers only. */
export function keepsTensors(device: Device = "cpu"): boolean {
  return device === "webgpu";
}

/** `compileOnDevice` for one build of ONNX Runtime. */
export function deviceCompilerFor(binding: Binding) {
  /**
   * Compiles a graph into a program that takes and gives tensors in the device's memory.
   *
   * @param keep the outputs that stay there; the others come to host memory
   * @throws RuntimeError when ONNX Runtime refuses the graph or the device is not available
   */
  return async function compileOnDevice<const Outputs extends Readonly<Record<string, Value>>>(
    outputs: Outputs,
    keep: readonly (keyof Outputs & string)[],
    options: CompileOptions = {},
  ): Promise<DeviceProgram<keyof Outputs & string>> {
    const { session, inputs } = await openSession(binding, outputs, options, keepsTensors(options.device) ? keep : []);
    return new DeviceProgram(binding, session, inputs, outputs as Record<keyof Outputs & string, Value>);
  };
}

/** Moves float32 tensors of fixed names and shapes between host and device. */
export class Transfer {
  readonly #names: readonly string[];
  readonly #up: DeviceProgram;
  readonly #down: DeviceProgram;

  /** @internal Transfers come from `createTransfer`. */
  constructor(names: readonly string[], up: DeviceProgram, down: DeviceProgram) {
    this.#names = names;
    this.#up = up;
    this.#down = down;
  }

  /** @param arrays one a name; they may be changed afterwards */
  async upload(arrays: Readonly<Record<string, Float32Array>>): Promise<ReadonlyMap<string, DeviceTensor>> {
    return this.#named(await this.#up.run(arrays));
  }

  /** Downloads tensors into new arrays, independent of the tensors. */
  async download(tensors: ReadonlyMap<string, DeviceTensor>): Promise<ReadonlyMap<string, Float32Array>> {
    const copies = this.#named(await this.#down.run(Object.fromEntries(tensors)));
    return new Map([...copies].map(([name, tensor]) => [name, tensor.data as Float32Array]));
  }

  #named(results: Readonly<Record<string, DeviceTensor>>): ReadonlyMap<string, DeviceTensor> {
    return new Map(this.#names.map((name) => [name, results[copyOf(name)]!]));
  }

  async dispose(): Promise<void> {
    await this.#up.dispose();
    await this.#down.dispose();
  }
}

/** Transfers tensors through a graph that copies its inputs: the binding's own download crashes the process. */
export function transferFor(binding: Binding) {
  const compileOnDevice = deviceCompilerFor(binding);
  return async function createTransfer(
    shapes: ReadonlyMap<string, readonly number[]>,
    options: CompileOptions,
  ): Promise<Transfer> {
    const g = new Graph();
    const copies = Object.fromEntries(
      [...shapes].map(([name, shape]) => [copyOf(name), g.identity(g.input(name, "float32", shape))]),
    );
    const up = await compileOnDevice(copies, Object.keys(copies), options);
    return new Transfer([...shapes.keys()], up, await compileOnDevice(copies, [], options));
  };
}

const copyOf = (name: string): string => `copy of ${name}`;
