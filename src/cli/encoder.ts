import { type Command, Option } from "commander";
import { type Encoder, loadEncoder } from "../models/index.ts";
import type { ProgressLine } from "./progress.ts";

/** What `--encoder` takes, for the help. */
export const encoderKinds = "a hub id (owner/name), a .safetensors file, an encoder's folder, or a run folder";

export interface EncoderFlags {
  readonly imageSize?: number;
  readonly activation?: "quick_gelu" | "gelu";
}

export function withEncoderFlags(command: Command): Command {
  return command.addOption(
    new Option(
      "--activation <name>",
      "which activation a CLIP was trained with, where its files do not say (OpenAI's: quick_gelu, LAION's: gelu)",
    ).choices(["quick_gelu", "gelu"]),
  );
}

/** Loads an encoder, and shows how far a download is. */
export async function openEncoder(
  spec: string,
  { imageSize, activation }: EncoderFlags,
  progress: ProgressLine,
): Promise<Encoder> {
  const encoder = await loadEncoder(spec, {
    ...(imageSize !== undefined && { imageSize }),
    ...(activation && { activation: activation === "gelu" ? "gelu" : "quickGelu" }),
    onProgress: ({ file, bytes, totalBytes }) =>
      progress.update(`downloading ${spec}`, megabytes(bytes), megabytes(totalBytes), `MB  ${file}`),
    onWarning: (message) => progress.note(`Warning: ${message}`),
  });
  progress.end();
  return encoder;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
