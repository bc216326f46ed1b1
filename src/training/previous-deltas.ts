import { type InnerAttack, projectPoint } from "../attacks/index.ts";
import { UsageError } from "../errors.ts";
import { allocate, type Tensor } from "../onnx/tensor.ts";
import { ImageRows } from "./image-rows.ts";
import { formatBytes } from "./memory.ts";
import type { State } from "./parameters.ts";

/** A checkpoint holds the perturbations in one piece. */
const mostBytes = 2 ** 31;
const levels = 127;
/** Scale of an image that has not been perturbed yet. */
const none = -1;

/** What the perturbations of so many images take. */
export function keptBytes(images: number, imageSize: number): number {
  return images * 3 * imageSize ** 2;
}

/** @throws UsageError when they are too many to be kept */
export function checkKept(images: number, imageSize: number): void {
  const bytes = keptBytes(images, imageSize);
  if (bytes <= mostBytes) return;
  throw new UsageError(
    `The last epoch's perturbations of ${images} images take ${formatBytes(bytes)}, more than the ${formatBytes(mostBytes)} that are kept: use fewer images (--limit), or another start of the attack.`,
  );
}

/** The latest perturbation of every image, a byte a pixel and channel: an image's largest is 127. */
export class PreviousDeltas {
  readonly #attack: InnerAttack;
  readonly #rows: ImageRows;
  readonly #delta: Tensor<"int8">;
  readonly #scale: Tensor<"float32">;
  readonly #length: number;

  /**
   * @param images that will be perturbed, by any numbers of their own
   * @throws UsageError when they are too many to be kept
   */
  constructor(attack: InnerAttack, images: readonly number[], imageSize: number) {
    this.#attack = attack;
    this.#length = 3 * imageSize ** 2;
    checkKept(images.length, imageSize);
    this.#rows = new ImageRows(images);
    const shape = [images.length, 3, imageSize, imageSize];
    this.#delta = { dtype: "int8", shape, data: allocate("int8", shape) };
    this.#scale = { dtype: "float32", shape: [images.length], data: new Float32Array(images.length).fill(none) };
  }

  /** `start` for the first images of `clean` and `out`, [batch, 3, S, S]. */
  startAll(images: readonly number[], clean: Float32Array, out: Float32Array): void {
    images.forEach((image, i) => void this.start(image, this.#image(clean, i), this.#image(out, i)));
  }

  /** `keep` for the first images of `clean` and `adversarial`, [batch, 3, S, S]. */
  keepAll(images: readonly number[], clean: Float32Array, adversarial: Float32Array): void {
    images.forEach((image, i) => void this.keep(image, this.#image(clean, i), this.#image(adversarial, i)));
  }

  /**
   * Moves `out` to the image's previous perturbation of `clean`, both [3, S, S]; leaves it where there is none. What had to be
   * rounded, or fits another clean image only, is projected back.
   */
  start(image: number, clean: Float32Array, out: Float32Array): void {
    const row = this.#rows.of(image);
    const scale = this.#scale.data[row]!;
    if (scale === none) return;
    const delta = this.#of(row);
    for (let i = 0; i < out.length; i++) out[i] = clean[i]! + scale * delta[i]!;
    projectPoint(this.#attack, out, clean);
  }

  /** Keeps the perturbation of `clean` that led to `adversarial`, both [3, S, S]. */
  keep(image: number, clean: Float32Array, adversarial: Float32Array): void {
    const row = this.#rows.of(image);
    let largest = 0;
    for (let i = 0; i < clean.length; i++) largest = Math.max(largest, Math.abs(adversarial[i]! - clean[i]!));
    const scale = Math.fround(largest / levels);
    const delta = this.#of(row);
    for (let i = 0; i < clean.length; i++)
      delta[i] = scale > 0 ? Math.max(-levels, Math.min(levels, Math.round((adversarial[i]! - clean[i]!) / scale))) : 0;
    this.#scale.data[row] = scale;
  }

  /** For checkpoints; shares memory. */
  state(): State {
    return new Map<string, Tensor>([
      ["delta", this.#delta],
      ["scale", this.#scale],
    ]);
  }

  restore(saved: State): void {
    this.#delta.data.set(saved.get("delta")!.data as Int8Array);
    this.#scale.data.set(saved.get("scale")!.data as Float32Array);
  }

  #image(batch: Float32Array, i: number): Float32Array {
    return batch.subarray(i * this.#length, (i + 1) * this.#length);
  }

  #of(row: number): Int8Array {
    return this.#delta.data.subarray(row * this.#length, (row + 1) * this.#length);
  }
}
