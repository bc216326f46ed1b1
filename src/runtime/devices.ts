import { listSupportedBackends } from "onnxruntime-node";
import { Graph } from "../graph/index.ts";
import type { Device } from "./binding.ts";
import { RuntimeError } from "./errors.ts";
import { compile } from "./node.ts";
import type { CompileOptions } from "./program.ts";

/** An execution provider of ONNX Runtime. Providers that are not bundled need external libraries. */
export interface Provider {
  readonly name: string;
  readonly bundled: boolean;
}

/** Providers that this build of ONNX Runtime was made for. Not all of them work on every machine: see `tryDevice`. */
export function providers(): readonly Provider[] {
  return listSupportedBackends();
}

/**
 * Computes a small product on the device, in this precision. A broken driver can crash the process: call it in a child
 * process.
 *
 * @throws RuntimeError when the device is missing, or its result is wrong
 */
export async function tryDevice(device: Device, precision: CompileOptions["precision"] = "float32"): Promise<void> {
  const size = 16;
  const g = new Graph();
  const [a, b] = [g.input("a", "float32", [size, size]), g.input("b", "float32", [size, size])];
  const program = await compile({ y: g.matMul(a, b) }, { device, precision });
  // Small integers, the largest a power of two: every device and precision gets these sums exactly.
  const numbers = Float32Array.from({ length: size * size }, (_, i) => (i % 7) - 4);
  const { y } = await program.run({ a: numbers, b: numbers }).catch((cause: unknown) => {
    throw new RuntimeError(`A product of ${precision} does not run on ${device}: ${(cause as Error).message}`, {
      cause,
    });
  });
  for (let i = 0; i < size * size; i++) {
    const [row, column] = [Math.floor(i / size), i % size];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += numbers[row * size + k]! * numbers[k * size + column]!;
    if (y[i] !== sum) throw new RuntimeError(`A product on ${device} gave ${y[i]} where it is ${sum}.`);
  }
  await program.dispose();
}

/**
 * Whether the device multiplies large matrices faster than the CPU. Small ones are tried first, so that a software
 * driver, a thousand times slower, is detected within a second or two.
 */
export async function fasterThanCpu(device: Device): Promise<boolean> {
  // A call to a GPU takes about a millisecond, in which a CPU may multiply several small matrices.
  const small = { size: 256, products: 2 };
  const large = { size: 1024, products: 8 };
  if ((await productSeconds(device, small)) > 20 * (await productSeconds("cpu", small)) + 0.02) return false;
  return (await productSeconds(device, large)) < (await productSeconds("cpu", large));
}

/** Seconds of a chain of square products, once it is warm. */
async function productSeconds(device: Device, { size, products }: { size: number; products: number }): Promise<number> {
  const g = new Graph();
  const a = g.input("a", "float32", [size, size]);
  let y = a;
  for (let i = 0; i < products; i++) y = g.mul(g.matMul(y, a), 1 / size);
  const program = await compile({ sum: g.reduceSum(y) }, { device });
  const numbers = new Float32Array(size * size).fill(1);
  await program.run({ a: numbers });
  const started = performance.now();
  await program.run({ a: numbers });
  const seconds = (performance.now() - started) / 1000;
  await program.dispose();
  return seconds;
}
