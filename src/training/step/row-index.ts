import { UsageError } from "../../errors.ts";

/** Assigns a row to every training image, however the images are numbered. */
export class RowIndex {
  readonly #rows: ReadonlyMap<number, number>;

  constructor(images: readonly number[]) {
    this.#rows = new Map(images.map((image, row) => [image, row]));
  }

  /**
   * @returns the row, from 0 to images - 1
   * @throws UsageError when the image is none of them
   */
  of(image: number | undefined): number {
    const row = image === undefined ? undefined : this.#rows.get(image);
    if (row === undefined) throw new UsageError(`Image ${image} is none of those that training was announced.`);
    return row;
  }
}
