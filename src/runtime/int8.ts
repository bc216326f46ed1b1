import { Graph } from "../graph/index.ts";
import { compile } from "./node.ts";

/**
 * The largest magnitude of int8 weights for which ONNX Runtime's products with uint8 are exact on this processor. Where it adds
 * pairs of them up in int16, as on AVX2 and AVX-512 without VNNI, 2 * 255 * 127 saturates, without an error.
 */
export async function largestExactInt8(): Promise<64 | 127> {
  const g = new Graph();
  const [rows, terms, columns] = [16, 64, 32];
  const a = g.input("a", "uint8", [rows, terms]);
  const b = g.input("b", "int8", [terms, columns]);
  const zero = g.constant({ dtype: "uint8", shape: [], data: Uint8Array.of(0) });
  const program = await compile({ sums: g.apply("MatMulInteger", [a, b, zero])[0]! }, { threads: 1 });
  const feeds = { a: new Uint8Array(rows * terms).fill(255), b: new Int8Array(terms * columns).fill(127) };
  const { sums } = await program.run(feeds);
  await program.dispose();
  return (sums as Int32Array).every((sum) => sum === terms * 255 * 127) ? 127 : 64;
}
