import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { join, relative } from "node:path";
import { UsageError } from "../errors.ts";
import { writeAtomically } from "../files.ts";
import { attackGallery, imagePng } from "../report/index.ts";
import { safetensorsPieces } from "../safetensors.ts";
import type { Tensor } from "../tensor/index.ts";
import type { ImageFile } from "./image-files.ts";

/** Names of files in the folder that no image may take. */
export const reservedNames = ["attack"];

/** Columns of the picture. */
export const shown = 8;

export interface AttackImages {
  /** Side in pixels. */
  readonly size: number;
  /** [count, 3, size, size] in [0, 1] */
  readonly clean: Float32Array;
  readonly perturbed: Float32Array;
}

/** The output folder of `lore attack`: a picture, and the perturbed images as PNG files or as float arrays. */
export class AttackFolder {
  readonly picture: string;
  /** One tensor [3, size, size] an image, by its name. */
  readonly arrays: string;
  /** "png" is rounded to 8 bits, "float" is not. */
  readonly form: "png" | "float";
  readonly #folder: string;

  constructor(folder: string, form: "png" | "float") {
    this.#folder = folder;
    this.form = form;
    this.picture = join(folder, "attack.png");
    this.arrays = join(folder, "perturbed.safetensors");
  }

  fileOf({ name }: ImageFile): string {
    return join(this.#folder, `${name}.png`);
  }

  /** @throws UsageError when the folder cannot be made, or what goes into it would replace one of the images */
  prepare(files: readonly ImageFile[]): void {
    try {
      mkdirSync(this.#folder, { recursive: true });
    } catch (cause) {
      throw this.#unwritable(cause);
    }
    const originals = new Set(files.map(({ path }) => realpathSync(path)));
    const written = [this.picture, ...(this.form === "png" ? files.map((file) => this.fileOf(file)) : [])];
    const replaced = written.find((path) => existsSync(path) && originals.has(realpathSync(path)));
    if (replaced !== undefined) {
      throw new UsageError(
        `--out ${this.#folder}: ${replaced} is one of the images and would be replaced; give another folder.`,
      );
    }
  }

  async save(files: readonly ImageFile[], images: AttackImages): Promise<void> {
    const { size, perturbed } = images;
    const length = 3 * size * size;
    const parts = files.map((file, i) => [file, perturbed.subarray(i * length, (i + 1) * length)] as const);
    const picture = await attackGallery({ ...images, columns: shown });
    try {
      writeAtomically(this.picture, picture);
      if (this.form === "float") {
        const tensors = parts.map(([{ name }, data]): [string, Tensor] => [
          name,
          { dtype: "float32", shape: [3, size, size], data },
        ]);
        writeAtomically(this.arrays, safetensorsPieces(new Map(tensors)));
        return;
      }
      for (const [file, image] of parts) writeAtomically(this.fileOf(file), await imagePng(image, size));
    } catch (cause) {
      throw this.#unwritable(cause);
    }
  }

  #unwritable(cause: unknown): UsageError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new UsageError(`--out ${this.#folder} cannot be written to: ${reason}`, { cause });
  }
}

/** The path relative to the working directory. */
export function fromHere(path: string): string {
  return relative("", path) || ".";
}
