import { type Field, weightAndBias } from "./fields.ts";

/** How a layout names the parts of a transformer block. */
export interface BlockNames {
  readonly norm1: string;
  readonly norm2: string;
  /** One tensor for queries, keys and values, or three; each up to `weight` or `bias`. */
  readonly attention:
    | { readonly fused: string }
    | { readonly query: string; readonly key: string; readonly value: string };
  readonly projection: string;
  readonly fc1: string;
  readonly fc2: string;
  /** The vectors that scale the residual branches. */
  readonly scales?: readonly [string, string];
}

/** The fields of a stack of blocks. `prefix` gives the name in front of a block's parts, its last dot included. */
export function blockFields(depth: number, prefix: (block: number) => string, names: BlockNames): readonly Field[] {
  return Array.from({ length: depth }, (_, i) => {
    const [ours, theirs] = [`blocks.${i}.`, prefix(i)];
    const pair = (own: string, other: string): readonly Field[] => weightAndBias(ours + own, theirs + other);
    return [
      ...pair("norm1", names.norm1),
      ...qkv(ours, theirs, names),
      ...pair("attn.proj", names.projection),
      ...pair("norm2", names.norm2),
      ...pair("mlp.fc1", names.fc1),
      ...pair("mlp.fc2", names.fc2),
      ...(names.scales ?? []).map(
        (name, j): Field => ({ kind: "same", ours: `${ours}ls${j + 1}.gamma`, theirs: theirs + name }),
      ),
    ];
  }).flat();
}

function qkv(ours: string, theirs: string, { attention }: BlockNames): readonly Field[] {
  return ["weight", "bias"].map((part): Field => {
    const own = `${ours}attn.qkv.${part}`;
    if ("fused" in attention) return { kind: "same", ours: own, theirs: theirs + attention.fused + part };
    const parts = [attention.query, attention.key, attention.value];
    return { kind: "stacked", ours: own, theirs: parts.map((name) => theirs + name + part) };
  });
}
