import { elementCount } from "../tensor/index.ts";
import { int } from "./operators/index.ts";
import { reachable } from "./reachable.ts";
import { broadcast, product } from "./shapes.ts";
import type { Node, Value } from "./value.ts";

/** `batch` independent products of an m x k by a k x n matrix. */
export interface Product {
  readonly batch: number;
  readonly m: number;
  readonly k: number;
  readonly n: number;
  /** Whether the operand is transposed in memory: k x m, or n x k. */
  readonly transA: boolean;
  readonly transB: boolean;
}

/** Floating-point operations: a multiplication and an addition for every term. */
export function flops({ batch, m, k, n }: Product): number {
  return 2 * batch * m * k * n;
}

/** Every matrix product that the outputs depend on, one per node: MatMul, Gemm (int8 or not), and convolutions as products. */
export function productsOf(outputs: readonly Value[]): readonly Product[] {
  return reachable(outputs).nodes.flatMap((node) => {
    const product = rules[node.op]?.(node);
    return product ? [product] : [];
  });
}

/** Operations of all matrix products that the outputs depend on. */
export function productFlops(outputs: readonly Value[]): number {
  return productsOf(outputs).reduce((sum, product) => sum + flops(product), 0);
}

const rules: Readonly<Record<string, (node: Node) => Product>> = {
  MatMul: matMul,
  MatMulInteger: matMul,
  Gemm: ({ inputs: [a, b], attributes }) => {
    const [transA, transB] = [int(attributes, "transA") !== 0, int(attributes, "transB") !== 0];
    const [m, k] = transA ? [a!.shape[1]!, a!.shape[0]!] : [a!.shape[0]!, a!.shape[1]!];
    return { batch: 1, m, k, n: b!.shape[transB ? 0 : 1]!, transA, transB };
  },
  // Weight [out, C / group, ...kernel] times the image's windows, an image and a group at a time.
  Conv: ({ inputs: [, weight], outputs: [y], attributes }) => {
    const group = int(attributes, "group");
    const [out, ...window] = weight!.shape;
    const n = elementCount(y!.shape.slice(2));
    return { batch: y!.shape[0]! * group, m: out! / group, k: product(window), n, transA: false, transB: false };
  },
  // Weight [C, out / group, ...kernel], transposed, times the image; the columns are then added up where they overlap.
  ConvTranspose: ({ inputs: [image, weight], attributes }) => {
    const group = int(attributes, "group");
    const [channels, ...window] = weight!.shape;
    const n = elementCount(image!.shape.slice(2));
    return {
      batch: image!.shape[0]! * group,
      m: product(window),
      k: channels! / group,
      n,
      transA: true,
      transB: false,
    };
  },
};

/** Whether a value is a Transpose of the last two axes only, which ONNX Runtime runs as part of the product. */
function isSwapped({ origin, rank }: Value): boolean {
  if (origin.kind !== "node" || origin.node.op !== "Transpose") return false;
  const perm = origin.node.attributes.perm as readonly number[];
  return perm.every((axis, i) => axis === (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i));
}

function matMul({ inputs: [a, b] }: Node): Product {
  const left = a!.rank === 1 ? [1, ...a!.shape] : a!.shape;
  const right = b!.rank === 1 ? [...b!.shape, 1] : b!.shape;
  const [k, n] = [right.at(-2)!, right.at(-1)!];
  const layout = { k, n, transA: isSwapped(a!), transB: isSwapped(b!) };
  // One matrix on the right serves all rows on the left: that is one large product.
  if (right.length === 2 && !layout.transA) return { batch: 1, m: product(left.slice(0, -1)), ...layout };
  return { batch: product(broadcast(left.slice(0, -2), right.slice(0, -2))), m: left.at(-2)!, ...layout };
}
