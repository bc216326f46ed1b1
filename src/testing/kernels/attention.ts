import { bool, f32, fed, float, i32, i64, int, ints, type KernelCase, use } from "./case.ts";
import * as reference from "./reference.ts";

const inf = Number.POSITIVE_INFINITY;

/** ONNX's operator, with heads of their own axis or as rows. */
const standard = (
  operands: KernelCase["operands"],
  attributes?: KernelCase["attributes"],
  more: Partial<KernelCase> = {},
): KernelCase => use("Attention", operands, attributes, { opset: 23, ...more });

const causal = { is_causal: int(1) };

const ofOnnx: readonly KernelCase[] = [
  standard(["2 4 3 8", "2 4 5 8", "2 4 5 6"]),
  standard(["2 3 16", "2 5 8", "2 5 12"], {
    ...{ q_num_heads: int(4), kv_num_heads: int(2), scale: float(0.4), softcap: float(1.5) },
  }),
  standard(["1 2 4 4", "1 2 4 4", "1 2 4 4", "4 4"], causal),
  // The second query sees nothing.
  standard(["1 2 3 4", "1 2 4 4", "1 2 4 4", bool([1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 1], [3, 4])]),
  standard(
    ["1 2 2 4", "1 2 3 4", "1 2 3 4", fed(f32([0.5, -inf, 0, 1, -inf, 1, 2, -1, 0, 0], [2, 5])), "1 2 2 4", "1 2 2 4"],
    causal,
    { outputs: [0, 1, 2] },
  ),
  ...[0, 1, 2, 3].map((mode) =>
    standard(
      ["1 2 3 4", "1 2 4 4", "1 2 4 4", "3 4"],
      { qk_matmul_output_mode: int(mode), softcap: float(2) },
      { outputs: [0, 3] },
    ),
  ),
  standard(["2 2 3 4", "2 2 6 4", "2 2 6 4", undefined, undefined, undefined, i64([4, 6])], causal, { opset: 24 }),
];

const positions = i64([0, 6, 2, 1, 3, 3, 5, 4], [2, 4]);
const rotary: readonly KernelCase[] = [
  use("RotaryEmbedding", ["2 3 4 8", "2 4 4", "2 4 4"], {}, { opset: 23 }),
  use(
    "RotaryEmbedding",
    ["2 4 18", "7 3", "7 3", positions],
    { num_heads: int(3), interleaved: int(1) },
    { opset: 23 },
  ),
  use("RotaryEmbedding", ["2 2 4 6", "7 2", "7 2", fed(positions)], { rotary_embedding_dim: int(4) }, { opset: 23 }),
  use("com.microsoft:RotaryEmbedding", ["2 3 16", i64([1]), "6 4", "6 4"]),
  use("com.microsoft:RotaryEmbedding", ["2 2 4 8", positions, "7 4", "7 4"], { interleaved: int(1) }),
  use("com.microsoft:RotaryEmbedding", ["1 3 16", i64([0]), "6 2", "6 2"], {
    ...{ num_heads: int(2), rotary_embedding_dim: int(4) },
  }),
];

const masks = [
  i32([3, 5], [2]),
  i32([3, 5, 1, 0], [4]),
  i32([1, 1, 0, 1, 0, 1, 1, 1, 1, 0], [2, 5]),
  i32([0, 0, 0, 0, 0, 1, 1, 1, 1, 0], [2, 5]),
  i32(
    Array.from({ length: 50 }, (_, i) => Number(i % 3 !== 1)),
    [2, 5, 5],
  ),
];

/** ONNX Runtime's own, with its input projection. */
const projected = (
  more: KernelCase["operands"],
  attributes: KernelCase["attributes"] = {},
  outputs: readonly number[] = [0],
): KernelCase =>
  use("com.microsoft:Attention", ["2 5 6", "6 24", "24", ...more], { num_heads: int(2), ...attributes }, { outputs });

const ofOnnxRuntime: readonly KernelCase[] = [
  ...masks.flatMap((mask) => [0, 1].map((only) => projected([mask], { unidirectional: int(only) }))),
  projected([], { unidirectional: int(1), scale: float(0.3) }),
  projected([fed(masks[2]!), undefined, "2 2 5 5"], { mask_filter_value: float(-3) }),
  projected([undefined, "2 2 2 2 4"], { unidirectional: int(1) }, [0, 1]),
  use("com.microsoft:Attention", ["2 5 6", "6 20", "20"], {
    ...{ num_heads: int(2), qkv_hidden_sizes: ints(8, 8, 4) },
  }),
];

/** ONNX Runtime's own, behind the projections. */
const multiHead = (
  operands: KernelCase["operands"],
  attributes: KernelCase["attributes"] = {},
  more: Partial<KernelCase> = {},
): KernelCase => use("com.microsoft:MultiHeadAttention", operands, { num_heads: int(2), ...attributes }, more);

const behindProjections: readonly KernelCase[] = [
  multiHead(["2 5 8", "2 5 8", "2 5 8", "24"]),
  multiHead(["2 5 8", "2 3 8", "2 3 6"], { scale: float(0.2) }),
  multiHead(["2 5 8", "2 5 8", "2 5 8"], { unidirectional: int(1) }),
  multiHead(["2 5 8", "2 2 5 4", "2 2 5 4"]),
  ...[masks[0], masks[2], masks[4]].map((mask) => multiHead(["2 5 8", "2 5 8", "2 5 8", undefined, mask])),
  multiHead(["2 5 8", "2 5 8", "2 5 8", "24", fed(masks[2]!), "1 2 5 5"], { mask_filter_value: float(-2) }),
  ...[0, 1].map((only) =>
    multiHead(
      ["2 3 8", "2 3 8", "2 3 8", undefined, undefined, undefined, "2 2 2 4", "2 2 2 4"],
      { unidirectional: int(only) },
      { outputs: [0, 1, 2] },
    ),
  ),
  // Packed operands are not to be had on CPU.
  multiHead(["2 5 2 3 4"], {}, { reference: ([packed]) => [reference.packedAttention(packed!, [2, 5, 2, 4])] }),
  multiHead(
    ["2 3 8", "2 5 2 2 4"],
    {},
    {
      reference: ([query, packed]) => [reference.packedAttention(packed!, [2, 5, 2, 4], { data: query!, rows: 3 })],
    },
  ),
];

export const attention: readonly KernelCase[] = [...ofOnnx, ...rotary, ...ofOnnxRuntime, ...behindProjections];
