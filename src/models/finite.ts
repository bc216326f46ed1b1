import { UsageError } from "../errors.ts";
import type { Encoder } from "./encoder.ts";

/*
 * Numbers that are not finite compare as false with everything: an encoder that gives them would pass as measured, with
 * an accuracy of 0, no violation and every neighbour kept. Whatever measures has what an encoder gives checked here.
 */

/** The origin of checked rows. */
export interface CheckedRows {
  /** The encoder's name. */
  readonly encoder: string;
  /** "embedding", "logits" ... */
  readonly what: string;
  /** Name of a row. Default: "image 0" ... */
  readonly nameOf?: ((row: number) => string) | undefined;
}

/**
 * @param values the first `count` of some rows, one after the other
 * @throws UsageError naming the encoder and the first image with a value that is not finite
 */
export function checkFinite(
  values: Float32Array,
  count: number,
  { encoder, what, nameOf = numbered }: CheckedRows,
): void {
  // A finite number minus itself is 0, any other gives NaN. This avoids a branch and a call per number.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! - values[i]!;
  if (sum === 0) return;
  const at = values.findIndex((value) => !Number.isFinite(value));
  const width = values.length / count;
  const row = Math.floor(at / width);
  const bad = values.subarray(row * width, (row + 1) * width).filter((value) => !Number.isFinite(value)).length;
  throw new UsageError(
    `${encoder}: in the ${what} of ${nameOf(row)} ${bad} of ${width} numbers ${bad === 1 ? "is" : "are"} not finite (${values[at]} ` +
      `at ${at % width}), so that nothing measured on it would mean anything. The encoder's weights may be damaged, its activations ` +
      "overflow float16, or its pixels be normalised otherwise than in training: load the original file again, in float32, " +
      "or see --normalization and --precision.",
  );
}

/**
 * @param values `count` rows one after the other, all finite
 * @throws UsageError naming the encoder and the first image whose row is zero: it has no direction, so no cosine
 */
export function checkNonZero(
  values: Float32Array,
  count: number,
  { encoder, what, nameOf = numbered }: CheckedRows,
): void {
  const width = values.length / count;
  for (let row = 0; row < count; row++) {
    const start = row * width;
    let at = start;
    while (at < start + width && values[at] === 0) at++;
    if (at < start + width) continue;
    throw new UsageError(
      `${encoder}: the ${what} of ${nameOf(row)} is zero in all of its ${width} numbers, and a vector without a direction ` +
        "has no cosine with another. Its weights may be damaged, or --output names a value that is none of its embedding.",
    );
  }
}

/** @throws UsageError naming the encoder and the first of its weights that is not finite: no training mends that */
export function checkWeights({ name, parameters }: Pick<Encoder, "name" | "parameters">): void {
  for (const [weight, { data }] of parameters) {
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum += data[i]! - data[i]!;
    if (sum !== 0)
      throw new UsageError(
        `${name}: its weight ${weight} holds numbers that are not finite: the file is damaged, or was cut to float16. Load ` +
          "the original file again.",
      );
  }
}

function numbered(row: number): string {
  return `image ${row}`;
}
