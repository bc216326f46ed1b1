import type { Node, Value } from "../graph/index.ts";
import { readersBy } from "../graph/index.ts";
import { describeType } from "../tensor/index.ts";
import { byteSize, stored, swapsMatrix } from "./storage.ts";

/** Memory that one value after the other lies in. */
interface Buffer {
  readonly type: string;
  readonly bytes: number;
  /** The steps between which it is taken, both included. */
  readonly from: number;
  to: number;
}

/**
 * Peak bytes of the nodes' values when ONNX Runtime runs them in this order on CPU. Inputs and constants have their own
 * memory.
 *
 * A value is needed from the node that makes it to the last that reads it; the `ends` are needed to the end. But ONNX
 * Runtime decides beforehand which values of one type and shape share a buffer. It holds each buffer from the first of
 * them to the last, even while it is idle.
 *
 * @param preallocated ends have memory of their own, too
 */
export function peakOf(order: readonly Node[], ends: ReadonlySet<Value>, preallocated: boolean): number {
  const change = new Float64Array(order.length + 1);
  for (const { bytes, from, to } of buffersOf(order, ends, preallocated)) {
    change[from]! += bytes;
    change[to + 1]! -= bytes;
  }
  let [bytes, peak] = [0, 0];
  for (const difference of change) {
    bytes += difference;
    peak = Math.max(peak, bytes);
  }
  return peak;
}

function buffersOf(order: readonly Node[], ends: ReadonlySet<Value>, preallocated: boolean): readonly Buffer[] {
  const readers = readersBy(order, ({ inputs }) => inputs);
  const lastRead = new Map<Value, Node>();
  for (const node of order) for (const input of node.inputs) lastRead.set(placeOf(input, readers), node);

  const buffers: Buffer[] = [];
  const idle: Buffer[] = [];
  const bufferOf = new Map<Value, Buffer>();
  for (const [step, node] of order.entries()) {
    const places = new Set(node.inputs.map((input) => placeOf(input, readers)));
    const ended = [...places].filter(
      (value) => lastRead.get(value) === node && bufferOf.has(value) && !ends.has(value),
    );
    for (const output of node.outputs) {
      // A view that is an output is a copy.
      if (ends.has(output) ? preallocated : placeOf(output, readers) !== output || !readers.has(output)) continue;
      const over = ended.findIndex((value) => canOverwrite(node, value, output) && !ends.has(output));
      const type = describeType(output.dtype, output.shape);
      const free = ends.has(output) ? -1 : idle.findLastIndex((buffer) => buffer.type === type);
      const buffer =
        over >= 0
          ? bufferOf.get(ended.splice(over, 1)[0]!)!
          : free >= 0
            ? idle.splice(free, 1)[0]!
            : { type, bytes: byteSize(output), from: step, to: order.length - 1 };
      if (over < 0 && free < 0) buffers.push(buffer);
      bufferOf.set(output, buffer);
    }
    for (const buffer of ended.map((value) => bufferOf.get(value)!)) {
      buffer.to = step;
      idle.push(buffer);
    }
  }
  return buffers;
}

/** Operators that ONNX Runtime lets write over an input which nobody reads any more. */
const inPlace: ReadonlySet<string> = new Set(
  "Abs Add And Cast Clip Div Erf Exp Floor Log Mul Neg Not Reciprocal Relu Sigmoid Softmax Sqrt Sub Tanh".split(" "),
);

const canOverwrite = (node: Node, value: Value, output: Value): boolean =>
  output === node.outputs[0] && inPlace.has(node.op) && byteSize(value) === byteSize(output);

/** The value in whose memory this one lies; a transposed matrix that only products read is read where it lies. */
function placeOf(value: Value, readers: ReadonlyMap<Value, readonly Node[]>): Value {
  const place = stored(value);
  const { origin } = place;
  if (origin.kind !== "node" || !swapsMatrix(origin.node)) return place;
  const onlyProducts = readers.get(place)?.every(({ op }) => op === "MatMul") ?? false;
  return onlyProducts ? placeOf(origin.node.inputs[0]!, readers) : place;
}
