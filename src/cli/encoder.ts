import { defined } from "../defined.ts";
import { describePreprocessing, type Encoder, loadEncoder, normalizations } from "../models/index.ts";
import { type Flags, list, option } from "./option.ts";
import { imageSizeOption } from "./options.ts";
import { oneOf, text } from "./parsers.ts";
import type { ProgressLine } from "./progress.ts";

/** The kinds of encoders that `--encoder` takes, for the help. */
export const encoderKinds = "a hub id (owner/name), a .safetensors or .onnx file, an encoder's folder, or a run folder";

export const encoderOption = option("--encoder <encoder>", text, {
  help: encoderKinds,
  topic: "encoder",
  required: true,
});

export const encodersOption = list("--encoder <encoder...>", {
  help: `one or more encoders: ${encoderKinds}`,
  topic: "encoder",
  required: true,
});

type NormalizationName = keyof typeof normalizations;

/** Options for opening an encoder. */
export const openingOptions = {
  imageSize: imageSizeOption,
  activation: option("--activation <name>", oneOf(["quick_gelu", "gelu"]), {
    help: "the activation a CLIP was trained with, where its files do not say (OpenAI: quick_gelu, LAION: gelu)",
    topic: "encoder",
  }),
  output: option("--output <name>", text, {
    help: "ONNX: the value that is the embedding, where the file leaves it open",
    topic: "encoder",
  }),
  normalization: option("--normalization <name>", oneOf(Object.keys(normalizations) as NormalizationName[]), {
    help: "ONNX: how pixels are normalised before it, where preprocessor_config.json does not say",
    topic: "encoder",
  }),
};

export type EncoderFlags = Flags<typeof openingOptions>;

/** Flags for opening an encoder. */
export function encoderFlags({ imageSize, activation, output, normalization }: EncoderFlags): EncoderFlags {
  return defined({ imageSize, activation, output, normalization });
}

/** Patterns that choose which weights of an ONNX file are trained. */
export interface WeightFlags {
  readonly trainable?: readonly string[];
  readonly freeze?: readonly string[];
}

/** Loads an encoder and shows the download's progress. */
export async function openEncoder(
  spec: string,
  { imageSize, activation, output, normalization, trainable, freeze }: EncoderFlags & WeightFlags,
  progress: ProgressLine,
): Promise<Encoder> {
  const encoder = await loadEncoder(spec, {
    ...defined({
      imageSize,
      activation: activation && (activation === "gelu" ? "gelu" : "quickGelu"),
      output,
      normalization: normalization && normalizations[normalization],
      trainable,
      freeze,
    }),
    onProgress: ({ file, bytes, totalBytes }) =>
      progress.update(`downloading ${spec}`, megabytes(bytes), megabytes(totalBytes), `MB  ${file}`),
    onWarning: (message) => progress.note(`Warning: ${message}`),
  });
  progress.note(`Images for ${spec}: ${describePreprocessing(encoder)}.`);
  return encoder;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
