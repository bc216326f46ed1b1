import type { Node, Value, ValueType } from "../graph/index.ts";
import { sameShape } from "../graph/index.ts";
import { elementCount, storageClass } from "../tensor/index.ts";

/** Bytes of a tensor of this type. */
export function byteSize({ dtype, shape }: ValueType): number {
  return elementCount(shape) * storageClass(dtype).BYTES_PER_ELEMENT;
}

const views: ReadonlySet<string> = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]);

/** Whether the node's result lies in the memory of its input. */
export function isView({ op }: Node): boolean {
  return views.has(op);
}

/** The value in whose memory this one lies: itself, unless it is another view of the same elements. */
export function stored(value: Value): Value {
  let { origin } = value;
  while (origin.kind === "node" && isView(origin.node)) {
    value = origin.node.inputs[0]!;
    ({ origin } = value);
  }
  return value;
}

/** Whether the node exchanges the last two axes and nothing else: products read its input where it lies. */
export function swapsMatrix({ op, attributes }: Node): boolean {
  if (op !== "Transpose") return false;
  const perm = attributes.perm as readonly number[];
  const matrices = perm.map((_, i) => i).slice(0, -2);
  return perm.length >= 2 && sameShape(perm, [...matrices, perm.length - 1, perm.length - 2]);
}
