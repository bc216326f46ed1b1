import { UsageError } from "../../errors.ts";
import type { Stated } from "./stated.ts";

/**
 * Checks the image size of an encoder whose weights were made for one.
 *
 * @param own what the weights were made for
 * @param wanted what the caller wants instead
 * @throws UsageError when files say that images have another size than the weights were made for, and nothing is wanted
 */
export function checkSize({ source, size }: Stated, own: number, wanted: number | undefined): void {
  if (wanted !== undefined || size === undefined || size === own) return;
  throw new UsageError(
    `The weights were made for images of ${own} pixels, and ${source} makes images of ${size}: say --image-size ${own} or ` +
      `--image-size ${size} (in code, imageSize).`,
  );
}
