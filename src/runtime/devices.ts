import { listSupportedBackends } from "onnxruntime-node";
import { Graph } from "../graph/index.ts";
import type { Device } from "./binding.ts";
import { RuntimeError } from "./errors.ts";
import { compile } from "./node.ts";

/** One of ONNX Runtime's execution providers. Those that are not bundled need libraries from elsewhere. */
export interface Provider {
  readonly name: string;
  readonly bundled: boolean;
}

/** What this build of ONNX Runtime was made for, which is not yet what works on this machine: see `tryDevice`. */
export function providers(): readonly Provider[] {
  return listSupportedBackends();
}

/**
 * Computes a small product on the device. A broken driver can end the process: try in a child process.
 *
 * @throws RuntimeError when the device is not there, or computes something else
 */
export async function tryDevice(device: Device): Promise<void> {
  const size = 16;
  const g = new Graph();
  const [a, b] = [g.input("a", "float32", [size, size]), g.input("b", "float32", [size, size])];
  const program = await compile({ y: g.matMul(a, b) }, { device });
  // Small integers: every device gets these sums exactly.
  const numbers = Float32Array.from({ length: size * size }, (_, i) => (i % 7) - 3);
  const { y } = await program.run({ a: numbers, b: numbers });
  for (let i = 0; i < size * size; i++) {
    const [row, column] = [Math.floor(i / size), i % size];
    let sum = 0;
    for (let k = 0; k < size; k++) sum += numbers[row * size + k]! * numbers[k * size + column]!;
    if (y[i] !== sum) throw new RuntimeError(`A product on ${device} gave ${y[i]} where it is ${sum}.`);
  }
  await program.dispose();
}
