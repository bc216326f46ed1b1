import { type FileContent, jsonFile } from "../../files.ts";
import { safetensorsPieces } from "../../safetensors.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { VitEncoder } from "../architectures/vit.ts";
import { timmConfig } from "../layouts/timm.ts";

/** The files of timm's repositories, without those of images and of ONNX. */
export function timmFiles(encoder: VitEncoder): ReadonlyMap<string, FileContent> {
  const { head } = encoder;
  const tensors = new Map<string, Tensor>(encoder.parameters);
  if (head) tensors.set("head.weight", head.weight).set("head.bias", head.bias);
  return new Map<string, FileContent>([
    ["model.safetensors", safetensorsPieces(tensors, new Map([["format", "pt"]]))],
    jsonFile("config.json", timmConfig(encoder)),
  ]);
}
