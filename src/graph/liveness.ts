import { executionOrder, fileOrder } from "./order.ts";
import { reachable } from "./reachable.ts";
import { axisIn, sameShape } from "./shapes.ts";
import { byteSize, stored } from "./storage.ts";
import type { Node, Value } from "./value.ts";

/**
 * The most bytes that values between a program's inputs and outputs take at any time, when ONNX Runtime runs it on CPU:
 * each from the node that makes it to the last that reads it. Inputs, constants and outputs have memory of their own.
 */
export function peakBytes(outputs: readonly Value[]): number {
  const order = executionOrder(fileOrder(reachable(outputs).nodes));
  const outside = new Set(outputs);
  const readers = readersOf(order);
  const lastRead = new Map<Value, Node>();
  for (const node of order) for (const input of node.inputs) lastRead.set(placeOf(input, readers), node);

  const live = new Map<Value, number>();
  let bytes = 0;
  let peak = 0;
  const free = (value: Value): void => {
    bytes -= live.get(value) ?? 0;
    live.delete(value);
  };
  for (const node of order) {
    const ended = [...new Set(node.inputs.map((input) => placeOf(input, readers)))].filter(
      (value) => lastRead.get(value) === node,
    );
    const made = node.outputs.filter(
      (output) => placeOf(output, readers) === output && readers.has(output) && !outside.has(output),
    );
    const replaced = inPlace.has(node.op) && made[0] && ended.find((value) => live.has(value) && fits(value, made[0]!));
    if (replaced) free(replaced);
    for (const output of made) {
      live.set(output, byteSize(output));
      bytes += byteSize(output);
    }
    peak = Math.max(peak, bytes);
    for (const value of ended) free(value);
  }
  return peak;
}

/** Operators that ONNX Runtime lets write over an input which nobody reads any more. */
const inPlace: ReadonlySet<string> = new Set(
  "Abs Add And Cast Clip Div Erf Exp Floor Log Mul Neg Not Reciprocal Relu Sigmoid Softmax Sqrt Sub Tanh".split(" "),
);

const fits = (value: Value, output: Value): boolean => byteSize(value) === byteSize(output);

function readersOf(nodes: readonly Node[]): ReadonlyMap<Value, readonly Node[]> {
  const readers = new Map<Value, Node[]>();
  for (const node of nodes) {
    for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  return readers;
}

/** The value in whose memory this one lies; a transposed matrix that only products read is read where it lies. */
function placeOf(value: Value, readers: ReadonlyMap<Value, readonly Node[]>): Value {
  const place = stored(value);
  const { origin } = place;
  if (origin.kind !== "node" || !swapsMatrix(origin.node)) return place;
  const onlyProducts = readers.get(place)?.every(({ op }) => op === "MatMul") ?? false;
  return onlyProducts ? placeOf(origin.node.inputs[0]!, readers) : place;
}

function swapsMatrix({ op, attributes, outputs }: Node): boolean {
  if (op !== "Transpose") return false;
  const perm = attributes.perm as readonly number[];
  const { rank } = outputs[0]!;
  const swapped = perm.map((_, i) => i);
  [swapped[axisIn(-1, rank)], swapped[axisIn(-2, rank)]] = [rank - 2, rank - 1];
  return rank >= 2 && sameShape(perm, swapped);
}
