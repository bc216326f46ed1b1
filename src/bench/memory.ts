import { Graph } from "../graph/index.ts";
import { type CompileOptions, compile } from "../runtime/index.ts";
import { secondsOf } from "./timing.ts";

/** Counted calls. */
const repeats = 5;
/** 128 MiB an array, more than caches hold. */
const elements = 2 ** 25;

/** Bytes a second between processor and memory: ONNX Runtime's Add of two large arrays, two read and one written. */
export async function memoryRate(options: CompileOptions): Promise<number> {
  const g = new Graph();
  const [a, b] = [g.input("a", "float32", [elements]), g.input("b", "float32", [elements])];
  const program = await compile({ sum: g.add(a, b) }, options);
  const feeds = { a: new Float32Array(elements).fill(1), b: new Float32Array(elements).fill(2) };
  const { median } = await secondsOf(() => program.run(feeds), repeats);
  await program.dispose();
  return (3 * 4 * elements) / median;
}
