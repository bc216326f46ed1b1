import { existsSync, statSync } from "node:fs";
import type { Telling } from "../data/index.ts";
import { isImageName } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { embedImages, tellCutTexts } from "../inference/index.ts";
import type { EmbeddingGoal } from "../measure/embedding-attack/index.ts";
import type { Encoder } from "../models/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { readImageFile } from "./image-files.ts";

/** @throws UsageError when the target is meant for an image file and is none */
export function checkTarget(target: string): void {
  const found = statSync(target, { throwIfNoEntry: false });
  if (found?.isDirectory()) throw new UsageError(`--towards ${target} is a folder; give one image file, or a text.`);
  if (!found && isImageName(target)) throw new UsageError(`--towards ${target}: there is no such image file.`);
}

/**
 * Towards an image file where there is one of that name, else towards a text; away where there is no target.
 *
 * @throws UsageError when the file is no image, or the encoder has no text tower for a text
 */
export async function goalOf(
  encoder: Encoder,
  target: string | undefined,
  compute: CompileOptions & Telling,
): Promise<EmbeddingGoal> {
  if (target === undefined) return { kind: "away" };
  if (existsSync(target)) {
    const pixels = await readImageFile(target, encoder.framing);
    return { kind: "towards", reference: await embedImages(encoder, pixels, compute) };
  }
  const { text, name } = encoder;
  if (text) {
    tellCutTexts(name, text, [target], compute);
    return { kind: "towards", reference: await text.embed([target], compute) };
  }
  throw new UsageError(
    `--towards "${target}" is no file, and ${name} has no text tower to embed it as a text; give an image file.`,
  );
}
