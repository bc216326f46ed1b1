import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { readJson } from "../files.ts";
import { type DownloadOptions, downloadEncoder, isHubId, isPickle, pickleRefusal } from "../hub/index.ts";
import { readSafetensors } from "../safetensors.ts";
import type { Tensor } from "../tensor/index.ts";
import { some } from "../words.ts";
import type { Encoder } from "./encoder.ts";
import { transformersClipLayout } from "./layouts/clip.ts";
import { Config } from "./layouts/config.ts";
import { transformersDinov2Layout } from "./layouts/dinov2.ts";
import type { EncoderFiles, LayoutOptions, LayoutReader } from "./layouts/layout.ts";
import { openClipLayout, openClipVisualLayout, openClipWeights } from "./layouts/open-clip.ts";
import { openClipConfigName } from "./layouts/open-clip-config.ts";
import { timmLayout } from "./layouts/timm.ts";
import { unwrapped } from "./layouts/unwrapped.ts";
import { loadOnnxEncoder, type OnnxOptions, onnxFileIn } from "./onnx/load.ts";
import { contradiction, statedIn } from "./preprocessing/index.ts";

export interface LoadOptions extends LayoutOptions, DownloadOptions, OnnxOptions {}

const layouts: readonly (readonly [whose: string, LayoutReader])[] = [
  ["timm's ViT, DeiT and DINOv2", timmLayout],
  ["transformers' CLIPModel", transformersClipLayout],
  ["transformers' Dinov2Model", transformersDinov2Layout],
  ["open_clip's and OpenAI's CLIP", openClipLayout],
  ["its vision tower alone, as RobustVLM saves it", openClipVisualLayout],
];

/**
 * Loads a vision encoder: a hub id, which is downloaded (see `downloadEncoder`), a `.safetensors` file, a folder that
 * holds `model.safetensors` (in one piece or in shards) or `open_clip_model.safetensors`, or a run folder, whose
 * `encoder/` is taken. The layout is read off the tensors' names, without prefixes of wrappers; see `Layout`. An `.onnx` file,
 * or a folder that holds one and no weights in safetensors, is taken as it is.
 *
 * @throws UsageError when there is nothing there, or what is there cannot be used
 *
 * @example
 * ```ts
 * import { loadEncoder } from "lore-vision";
 *
 * const encoder = await loadEncoder("openai/clip-vit-base-patch32");
 * console.log(encoder.imageSize, encoder.embeddingSize);
 * ```
 */
export async function loadEncoder(spec: string, options: LoadOptions = {}): Promise<Encoder> {
  const isRemote = isHubId(spec);
  const file = weightsFile(isRemote ? await downloadEncoder(spec, options) : spec);
  try {
    if (file.endsWith(".onnx")) return loadOnnxEncoder(file, { ...options, ...(isRemote && { name: spec }) });
    refuseOnnxOptions(options);
    const found = { ...openFiles(file, options), ...(isRemote && { name: spec }) };
    const tensors = unwrapped(found.tensors, (names) => layoutOf(names) !== undefined);
    const layout = layoutOf(tensors);
    if (layout) return layout.read({ ...found, tensors }, options);
    const known = layouts.map(([whose]) => whose).join("; ");
    throw new UsageError(`Its tensors (${some(tensors.keys(), 5)}) have the names of no layout known here (${known}).`);
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`Encoder ${isRemote ? spec : file}: ${cause.message}`, { cause });
  }
}

function layoutOf(tensors: ReadonlyMap<string, Tensor>): LayoutReader | undefined {
  return layouts.find(([, { recognises }]) => recognises(tensors))?.[1];
}

function refuseOnnxOptions({ output, trainable, freeze, normalization }: OnnxOptions): void {
  const given = Object.entries({ output, trainable, freeze, normalization }).find(([, value]) => value !== undefined);
  if (given) throw new UsageError(`${given[0]} is for ONNX files; these are weights in safetensors.`);
}

/** Files of weights in the order of preference: open_clip's first, since timm's folders hold half of a CLIP besides. */
const weightNames = [...Object.values(openClipWeights), "model.safetensors", "model.safetensors.index.json"];

function weightsFile(spec: string): string {
  if (!existsSync(spec)) {
    throw new UsageError(
      `No encoder at ${spec}: there is no such file or folder. Give a .safetensors or .onnx file, a folder that holds one, a run folder, or a hub id (owner/name).`,
    );
  }
  if (statSync(spec).isFile()) {
    if (spec.endsWith(".safetensors") || spec.endsWith(".onnx")) return spec;
    if (isPickle(spec)) throw new UsageError(pickleRefusal(spec));
    throw new UsageError(`Encoder ${spec}: only .safetensors and .onnx files can be read.`);
  }
  const folders = [spec, join(spec, "encoder")];
  const candidates = folders.flatMap((folder) => weightNames.map((name) => join(folder, name)));
  const found = candidates.find((path) => existsSync(path)) ?? folders.map(onnxFileIn).find((path) => path);
  if (found) return found;
  const pickle = readdirSync(spec).find(isPickle);
  if (pickle !== undefined) throw new UsageError(pickleRefusal(join(spec, pickle)));
  throw new UsageError(
    `Encoder ${spec}: the folder holds neither model.safetensors nor encoder/model.safetensors, nor open_clip's ` +
      `${openClipWeights["open-clip"]}, nor an ONNX model.`,
  );
}

/**
 * The folder of a saved encoder, for what is written beside its weights.
 *
 * @throws UsageError when it is on a hub, or there is none
 */
export function encoderFolder(spec: string): string {
  if (isHubId(spec)) throw new UsageError(`Encoder ${spec} is on the hub: save it in a folder to write beside it.`);
  return dirname(weightsFile(spec));
}

function openFiles(file: string, { onWarning }: LoadOptions): EncoderFiles {
  const folder = dirname(file);
  const json = (name: string): Config => {
    const path = join(folder, name);
    return new Config(existsSync(path) ? readJson(path) : undefined, name);
  };
  return {
    name: weightNames.includes(basename(file)) ? basename(resolve(folder)) : basename(file, ".safetensors"),
    folder,
    tensors: file.endsWith(".json") ? readShards(file) : readTensors(file),
    config: json("config.json"),
    ...(existsSync(join(folder, openClipConfigName)) && { openClipConfig: json(openClipConfigName) }),
    stated: (...dialects) => {
      const doubt = contradiction(folder, dialects);
      if (doubt !== undefined) onWarning?.(doubt);
      return statedIn(folder, dialects);
    },
  };
}

function readTensors(file: string): ReadonlyMap<string, Tensor> {
  return readSafetensors(file, { widenHalf: true }).tensors;
}

/** All tensors of the files that an index names. */
function readShards(index: string): ReadonlyMap<string, Tensor> {
  const { weight_map: map } = readJson(index) as { readonly weight_map?: Readonly<Record<string, unknown>> };
  const shards = new Set(Object.values(map ?? {}));
  if (shards.size === 0) throw new UsageError("It holds no weight_map that names the shards.");
  return new Map(
    [...shards].flatMap((shard) => {
      const path = join(dirname(index), String(shard));
      if (existsSync(path)) return [...readTensors(path)];
      throw new UsageError(`The shard ${shard} is missing.`);
    }),
  );
}
