import { Graph } from "../graph/index.ts";
import { type CompileOptions, compile } from "../runtime/index.ts";
import { secondsOf } from "./timing.ts";

/** Counted calls. */
const repeats = 5;
/** 64 MiB an array, more than caches hold. */
const elements = 2 ** 24;
/** Additions a call: the first one's page faults should not count for much. */
const additions = 16;

/**
 * Bytes a second between processor and memory: ONNX Runtime's Add of large arrays, two read and one written each time.
 * Only one element leaves the graph, since ONNX Runtime copies its outputs.
 */
export async function memoryRate(options: CompileOptions): Promise<number> {
  const g = new Graph();
  const [a, b] = [g.input("a", "float32", [elements]), g.input("b", "float32", [elements])];
  let sum = a;
  for (let i = 0; i < additions; i++) sum = g.add(sum, b);
  const program = await compile({ last: g.slice(sum, { starts: [elements - 1], ends: [elements] }) }, options);
  const feeds = { a: new Float32Array(elements).fill(1), b: new Float32Array(elements).fill(2) };
  const { median } = await secondsOf(() => program.run(feeds), repeats);
  await program.dispose();
  return (additions * 3 * 4 * elements) / median;
}
