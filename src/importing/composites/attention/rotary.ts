import type { Graph, Value } from "../../../graph/index.ts";
import { mismatch, range } from "../../../graph/index.ts";
import { type Composite, number } from "../use.ts";
import { joined, split } from "./weights.ts";

/**
 * Rotary position embedding of ONNX (opset 23): x [N, S, H D] or [N, H, S, D]; cosines and sines [N, S, D / 2], or [P, D / 2]
 * of all positions and which of them are meant, [N, S].
 * Source: https://arxiv.org/abs/2104.09864
 */
export const rotaryEmbedding: Composite = ({ g, x: [x, cosines, sines, positions], a }) => {
  const heads = number(a, "num_heads", 0);
  if (x!.rank === 3 && !heads) mismatch("needs num_heads to split rows into heads");
  const at = (table: Value): Value => (positions ? g.gather(table, positions, 0) : table);
  const rotated = rotate(g, x!.rank === 3 ? split(g, x!, heads) : x!, at(cosines!), at(sines!), a);
  return [x!.rank === 3 ? joined(g, rotated) : rotated];
};

/** ONNX Runtime's: positions come before the tables, as [N, S], or as [1], the first of S in a row. */
export const contribRotaryEmbedding: Composite = ({ g, x: [x, positions, cosines, sines], a }) => {
  if (a.is_packed_batching) mismatch("is_packed_batching is not supported");
  const inRows = x!.rank === 3;
  const tokens = x!.shape[inRows ? 1 : 2]!;
  // Without num_heads a head is as wide as the tables tell: they hold half of it.
  const width = 2 * cosines!.shape[1]!;
  const heads = number(a, "num_heads", 0) || x!.shape[2]! / width;
  const ids =
    positions!.rank === 2
      ? positions!
      : g.add(g.cast(positions!, "int64"), g.reshape(g.indices(range(tokens)), [1, tokens]));
  const at = (table: Value): Value => g.gather(table, ids, 0);
  const rotated = rotate(g, inRows ? split(g, x!, heads) : x!, at(cosines!), at(sines!), a);
  return [inRows ? joined(g, rotated) : rotated];
};

/** Turns pairs of [N, H, S, D] by angles [N, S, R / 2]; what is behind the first R elements stays. */
function rotate(g: Graph, x: Value, cosines: Value, sines: Value, a: Parameters<Composite>[0]["a"]): Value {
  const size = x.shape[3]!;
  const turned = number(a, "rotary_embedding_dim", 0) || size;
  const half = turned / 2;
  const [head, rest] = turned < size ? g.split(x, [turned, size - turned], 3) : [x, undefined];
  const [cos, sin] = [g.unsqueeze(cosines, [1]), g.unsqueeze(sines, [1])];
  const pairs = [...x.shape.slice(0, 3), half, 2];
  const [first, second] = a.interleaved
    ? g.split(g.reshape(head!, pairs), [1, 1], 4).map((part) => g.squeeze(part, [4]))
    : g.split(head!, [half, half], 3);
  const real = g.sub(g.mul(first!, cos), g.mul(second!, sin));
  const imaginary = g.add(g.mul(first!, sin), g.mul(second!, cos));
  const result = a.interleaved
    ? g.reshape(g.concat([g.unsqueeze(real, [4]), g.unsqueeze(imaginary, [4])], 4), head!.shape)
    : g.concat([real, imaginary], 3);
  return rest ? g.concat([result, rest], 3) : result;
}
