import { type Command, Option } from "commander";
import { describePreprocessing, type Encoder, loadEncoder, normalizations } from "../models/index.ts";
import type { ProgressLine } from "./progress.ts";

/** What `--encoder` takes, for the help. */
export const encoderKinds = "a hub id (owner/name), a .safetensors or .onnx file, an encoder's folder, or a run folder";

export interface EncoderFlags {
  readonly imageSize?: number;
  readonly activation?: "quick_gelu" | "gelu";
  readonly output?: string;
  readonly normalization?: keyof typeof normalizations;
}

export function withEncoderFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--activation <name>",
        "which activation a CLIP was trained with, where its files do not say (OpenAI's: quick_gelu, LAION's: gelu)",
      ).choices(["quick_gelu", "gelu"]),
    )
    .option("--output <name>", "of an ONNX file: the value that is the embedding, where that cannot be told")
    .addOption(
      new Option(
        "--normalization <name>",
        "of an ONNX file: how pixels are normalised before it, where preprocessor_config.json does not say",
      ).choices(Object.keys(normalizations)),
    );
}

/** Those of a command's flags that say how its encoder is opened. */
export function encoderFlags({ imageSize, activation, output, normalization }: EncoderFlags): EncoderFlags {
  return {
    ...(imageSize !== undefined && { imageSize }),
    ...(activation && { activation }),
    ...(output !== undefined && { output }),
    ...(normalization && { normalization }),
  };
}

/** Which weights of an ONNX file are trained. */
export interface WeightFlags {
  readonly trainable?: readonly string[];
  readonly freeze?: readonly string[];
}

/** Loads an encoder, and shows how far a download is. */
export async function openEncoder(
  spec: string,
  { imageSize, activation, output, normalization, ...weights }: EncoderFlags & WeightFlags,
  progress: ProgressLine,
): Promise<Encoder> {
  const encoder = await loadEncoder(spec, {
    ...(imageSize !== undefined && { imageSize }),
    ...(activation && { activation: activation === "gelu" ? "gelu" : "quickGelu" }),
    ...(output !== undefined && { output }),
    ...(normalization && { normalization: normalizations[normalization] }),
    ...(weights.trainable && { trainable: weights.trainable }),
    ...(weights.freeze && { freeze: weights.freeze }),
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
