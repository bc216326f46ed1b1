import { existsSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { readJson } from "../../files.ts";
import { describeFraming, sameFraming } from "../../framing.ts";
import type { Normalization } from "../encoder.ts";
import { Config } from "../layouts/config.ts";
import { describeNormalization } from "./describe.ts";
import { statedByOpenClip } from "./open-clip.ts";
import type { Stated } from "./stated.ts";
import { statedByTimm } from "./timm.ts";
import { statedByTransformers } from "./transformers.ts";

/** The library whose format a file has. */
export type Dialect = "transformers" | "timm" | "open_clip";

/**
 * Reads the preprocessing that the files in an encoder's folder state.
 *
 * @param dialects in the order of preference; a later one says what those before it do not
 * @throws UsageError naming a field that cannot be computed
 */
export function statedIn(folder: string, dialects: readonly Dialect[]): Stated {
  let stated: Stated = { source: "no file" };
  for (const dialect of dialects) {
    const { framing, normalization } = stated;
    if (framing && normalization) break;
    const found = readers[dialect](folder);
    if (found)
      stated = { ...(framing ? stated : found), ...(normalization ? { normalization } : normalizationOf(found)) };
  }
  return stated;
}

const normalizationOf = ({ normalization }: Stated): Pick<Stated, "normalization"> =>
  normalization ? { normalization } : {};

/**
 * Where a folder's files contradict each other, in words; undefined where they do not.
 *
 * @param dialects as for `statedIn`
 */
export function contradiction(folder: string, [first, ...others]: readonly Dialect[]): string | undefined {
  const counts = first && readers[first](folder);
  if (!counts) return undefined;
  for (const dialect of others) {
    const other = readOr(dialect, folder);
    if (typeof other === "string") return `${counts.source} says how images are prepared; not used is ${other}`;
    if (!other || agree(counts, other)) continue;
    return (
      `${counts.source} and ${other.source} say different things of how images are prepared, and the first counts: ` +
      `${told(counts)}. The other: ${told(other)}.`
    );
  }
  return undefined;
}

/** The preprocessing that a file states, or why it cannot be computed. */
function readOr(dialect: Dialect, folder: string): Stated | string | undefined {
  try {
    return readers[dialect](folder);
  } catch (cause) {
    if (cause instanceof UsageError) return cause.message;
    throw cause;
  }
}

function agree(one: Stated, other: Stated): boolean {
  const [size, another] = [one.size ?? other.size, other.size ?? one.size];
  const framed = one.framing && other.framing && size !== undefined && another !== undefined;
  if (framed && !sameFraming(one.framing(size), other.framing(another))) return false;
  return !one.normalization || !other.normalization || isNear(one.normalization, other.normalization);
}

/** Tolerance for statistics: files write them with three to eight digits. */
function isNear(one: Normalization, other: Normalization): boolean {
  return (["mean", "std"] as const).every((part) =>
    one[part].every((value, i) => Math.abs(value - other[part][i]!) < 2e-3),
  );
}

function told({ size, framing, normalization }: Stated): string {
  const framed = framing && size !== undefined ? [describeFraming(framing(size))] : [];
  return [...framed, ...(normalization ? [describeNormalization(normalization)] : [])].join("; ");
}

const readers: Readonly<Record<Dialect, (folder: string) => Stated | undefined>> = {
  transformers: (folder) => {
    const own = configIn(folder, "preprocessor_config.json");
    const config = own ?? configIn(folder, "processor_config.json")?.object("image_processor");
    if (!config || config.names.length === 0) return undefined;
    return statedByTransformers(config, configIn(folder, "config.json")?.text("model_type"));
  },
  timm: (folder) => {
    const config = configIn(folder, "config.json");
    if (config?.has("pretrained_cfg")) return statedByTimm(config.object("pretrained_cfg"));
    // Older files have the same fields at the top.
    return config?.has("input_size") && config.has("crop_pct") ? statedByTimm(config) : undefined;
  },
  open_clip: (folder) => {
    const config = configIn(folder, "open_clip_config.json");
    return config?.has("preprocess_cfg") ? statedByOpenClip(config) : undefined;
  },
};

function configIn(folder: string, name: string): Config | undefined {
  const path = join(folder, name);
  return existsSync(path) ? new Config(readJson(path), name) : undefined;
}
