import { existsSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { UsageError } from "../errors.ts";
import { readBytes, readJson } from "./files.ts";
import { decodeSafetensors } from "./safetensors.ts";
import { imageNetNormalization, isTimmVit, parseTimmConfig, readTimmVit } from "./timm.ts";
import { VitEncoder } from "./vit.ts";

export interface LoadOptions {
  /** Side of the square input in pixels. Default: the size that the weights were made for. */
  readonly imageSize?: number;
}

/**
 * Loads a vision encoder: a `.safetensors` file in timm's names (ViT, DeiT), a folder that holds `model.safetensors`
 * (with timm's `config.json` beside it, if there is one), or a run folder, whose `encoder/` is taken.
 *
 * @throws UsageError when there is nothing there, or what is there cannot be used
 */
export async function loadEncoder(spec: string, options: LoadOptions = {}): Promise<VitEncoder> {
  const file = weightsFile(spec);
  try {
    const { tensors } = decodeSafetensors(readBytes(file), { widenHalf: true });
    if (!isTimmVit(tensors))
      throw new UsageError("Its tensors have the names of no layout known here (timm's vision transformer).");
    const configFile = join(dirname(file), "config.json");
    const config = existsSync(configFile) ? parseTimmConfig(readJson(configFile)) : {};
    const vit = readTimmVit(tensors, config);
    return new VitEncoder({
      name: config.name ?? basename(dirname(resolve(file))),
      architecture: vit.architecture,
      imageSize: options.imageSize ?? vit.imageSize,
      normalization: config.normalization ?? imageNetNormalization,
      parameters: vit.parameters,
      ...(vit.head && { head: vit.head }),
    });
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause;
    throw new UsageError(`Encoder ${file}: ${cause.message}`, { cause });
  }
}

function weightsFile(spec: string): string {
  if (!existsSync(spec)) {
    throw new UsageError(
      `No encoder at ${spec}: there is no such file or folder. Give a .safetensors file, a folder that holds model.safetensors, or a run folder.`,
    );
  }
  if (statSync(spec).isFile()) {
    if (spec.endsWith(".safetensors")) return spec;
    throw new UsageError(`Encoder ${spec}: only .safetensors files can be read yet.`);
  }
  const candidates = [join(spec, "model.safetensors"), join(spec, "encoder", "model.safetensors")];
  const found = candidates.find((path) => existsSync(path));
  if (!found)
    throw new UsageError(`Encoder ${spec}: the folder holds neither model.safetensors nor encoder/model.safetensors.`);
  return found;
}
