import { join } from "node:path";
import sharp from "sharp";
import { UsageError } from "../errors.ts";
import { tilesOf } from "./gallery.ts";
import type { ShownExample } from "./sections/pictures.ts";

/** An example's three images, small enough for a page. */
export interface ExampleTiles {
  readonly clean: Uint8Array;
  readonly perturbed: Uint8Array;
  readonly difference: Uint8Array;
}

export type Tiles = ReadonlyMap<ShownExample, ExampleTiles>;

/** Side of an image on the page in its own pixels, at most. */
const maxSide = 128;

/**
 * The pictures of examples, cut into images.
 *
 * @throws UsageError when one cannot be read
 */
export async function readTiles(examples: readonly ShownExample[]): Promise<Tiles> {
  const tiles = new Map<ShownExample, ExampleTiles>();
  for (const shown of examples) {
    const path = join(shown.folder, shown.example.picture.file);
    try {
      const [clean, perturbed, difference] = await threeOf(path);
      tiles.set(shown, { clean: clean!, perturbed: perturbed!, difference: difference! });
    } catch (cause) {
      throw new UsageError(`${path} cannot be read: measure again with --examples, or remove the file.`, { cause });
    }
  }
  return tiles;
}

async function threeOf(path: string): Promise<readonly Uint8Array[]> {
  const { width = 0, height = 0 } = await sharp(path).metadata();
  return Promise.all(
    tilesOf(width, height, 3).map((region) =>
      sharp(path)
        .extract(region)
        .resize(maxSide, maxSide, { withoutEnlargement: true })
        .webp({ quality: 88 })
        .toBuffer(),
    ),
  );
}
