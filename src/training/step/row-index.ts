import { UsageError } from "../../errors.ts";

/** A row for every image that training goes over, whatever numbers the images have. */
export class RowIndex {
  readonly #rows: ReadonlyMap<number, number>;

  constructor(images: readonly number[]) {
    this.#rows = new Map(images.map((image, row) => [image, row]));
  }

  /**
   * @returns from 0 to images - 1
   * @throws UsageError when the image is none of them
   */
  of(image: number | undefined): number {
    const row = image === undefined ? undefined : this.#rows.get(image);
    if (row === undefined) throw new UsageError(`Image ${image} is none of those that training was announced.`);
    return row;
  }
}
