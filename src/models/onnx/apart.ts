import type { Value } from "../../graph/index.ts";
import { reachable } from "../../graph/index.ts";
import { elementCount } from "../../tensor/index.ts";

/** A graph on a given number of images. */
export interface Placed {
  readonly images: number;
  readonly pixels: Value;
  readonly rows: Value;
}

/**
 * Whether what a graph computes of images grows as they do, value by value: the images that a file's reshapes merge into one,
 * whose patches then attend to each other, make scores that grow with their square, and statistics of a batch do not grow.
 *
 * @param one and `other`: the same graph on two numbers of images
 */
export function keepsImagesApart(one: Placed, other: Placed): boolean {
  const [p, q] = [countsOf(one), countsOf(other)];
  // Graphs that differ in more than sizes cannot be compared in this way.
  return p.length !== q.length || p.every((count, i) => count * other.images === q[i]! * one.images);
}

/** Numbers of elements of all values that depend on the pixels, in the graph's order. */
function countsOf({ pixels, rows }: Placed): readonly number[] {
  const dependent = new Set([pixels]);
  for (const { inputs, outputs } of reachable([rows]).nodes)
    if (inputs.some((input) => dependent.has(input))) for (const output of outputs) dependent.add(output);
  return [...dependent].map(({ shape }) => elementCount(shape));
}
