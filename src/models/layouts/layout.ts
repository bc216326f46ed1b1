import type { Tensor } from "../../tensor/index.ts";
import type { Activation } from "../architectures/transformer.ts";
import type { Encoder } from "../encoder.ts";
import type { Dialect, Stated } from "../preprocessing/index.ts";
import type { Config } from "./config.ts";

/**
 * How an encoder's file names and arranges its tensors: timm's vision transformers; transformers' `CLIPModel` and
 * `Dinov2Model`; open_clip's state dict (OpenAI's names), whole or only its `visual.*` part without the prefix, as
 * RobustVLM saves it. An encoder that is an ONNX file keeps that file's arrangement.
 */
export type Layout = "timm" | "transformers-clip" | "transformers-dinov2" | "open-clip" | "open-clip-visual" | "onnx";

/** The contents of the place that an encoder is loaded from. */
export interface EncoderFiles {
  /** The encoder's name in tables and run folders. */
  readonly name: string;
  /** The folder that the weights lie in. */
  readonly folder: string;
  /** float32 throughout: half precision is widened. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** The content of config.json; an empty one where there is none. */
  readonly config: Config;
  /** The content of open_clip_config.json, where there is one. */
  readonly openClipConfig?: Config;
  /** Preprocessing stated in the files beside the weights; see `statedIn`. */
  readonly stated: (...dialects: readonly Dialect[]) => Stated;
}

export interface LayoutOptions {
  /** Side of the square input in pixels. Default: the size that the weights were made for. */
  readonly imageSize?: number;
  /** For weights whose files do not say which they were trained with. */
  readonly activation?: Activation;
}

export interface LayoutReader {
  readonly recognises: (tensors: ReadonlyMap<string, Tensor>) => boolean;
  /** @throws UsageError naming the tensor or field that does not fit */
  readonly read: (files: EncoderFiles, options: LayoutOptions) => Encoder;
}
