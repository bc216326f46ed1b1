import { flops, Graph, type Product, type Value } from "../graph/index.ts";
import { randomStream } from "../random.ts";
import { type CompileOptions, compile } from "../runtime/index.ts";
import { elementCount } from "../tensor/index.ts";
import { noise } from "./noise.ts";
import { secondsOf } from "./timing.ts";

/** A product's shape, and its count in the measured work. */
export interface ProductCount {
  readonly product: Product;
  readonly count: number;
}

/** Groups equal products. */
export function countProducts(weighted: readonly ProductCount[]): readonly ProductCount[] {
  const counts = new Map<string, ProductCount>();
  for (const { product, count } of weighted) {
    const key = JSON.stringify(product);
    counts.set(key, { product, count: (counts.get(key)?.count ?? 0) + count });
  }
  return [...counts.values()];
}

export function totalFlops(counts: readonly ProductCount[]): number {
  return counts.reduce((sum, { product, count }) => sum + count * flops(product), 0);
}

/** Counted calls a shape. */
const repeats = 5;
/** Minimum operations per call, so that its fixed cost (some 0.05 ms) does not count as arithmetic. */
const minFlops = 1e8;
const maxCopies = 16;

/**
 * Rate of ONNX Runtime's MatMul over a mix of shapes, in operations a second: all operations over the time they take,
 * each shape timed in a program of its own and weighted by its count. Operands are inputs; results stay inside, but for one
 * element each, since ONNX Runtime copies its outputs into memory that is fresh at every call.
 */
export async function gemmRate(
  counts: readonly ProductCount[],
  options: CompileOptions,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<number> {
  let seconds = 0;
  for (const [i, { product, count }] of counts.entries()) {
    seconds += count * (await secondsOfProduct(product, options));
    onProgress(i + 1, counts.length);
  }
  return totalFlops(counts) / seconds;
}

async function secondsOfProduct(product: Product, options: CompileOptions): Promise<number> {
  const copies = Math.min(maxCopies, Math.ceil(minFlops / flops(product)));
  const g = new Graph();
  // Each copy has its own operands: equal applications would be one node.
  const outputs = Array.from({ length: copies }, (_, i) => [`y${i}`, lastOf(matMul(g, product, `${i}`))] as const);
  const program = await compile(Object.fromEntries(outputs), options);
  const random = randomStream("operands");
  const feeds = Object.fromEntries(
    g.inputs.map(({ name, shape }) => [name, noise(elementCount(shape), () => random.uniform(-1, 1))]),
  );
  const { median } = await secondsOf(() => program.run(feeds), repeats);
  await program.dispose();
  return median / copies;
}

function matMul(g: Graph, { batch, m, k, n, transA, transB }: Product, suffix: string): Value {
  const stack = batch === 1 ? [] : [batch];
  const a = g.input(`a${suffix}`, "float32", [...stack, ...(transA ? [k, m] : [m, k])]);
  const b = g.input(`b${suffix}`, "float32", [...stack, ...(transB ? [n, k] : [k, n])]);
  return g.matMul(transA ? g.swap(a) : a, transB ? g.swap(b) : b);
}

function lastOf(y: Value): Value {
  const { graph: g, shape } = y;
  return g.slice(y, { starts: shape.map((size) => size - 1), ends: shape, axes: shape.map((_, axis) => axis) });
}
