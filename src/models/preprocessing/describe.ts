import { describeFraming } from "../../framing.ts";
import type { Encoder, Normalization } from "../encoder.ts";

/** `mean 0.5 0.5 0.5, std 0.5 0.5 0.5` */
export function describeNormalization({ mean, std }: Normalization): string {
  const all = (values: readonly number[]): string => values.map((value) => Number(value.toPrecision(4))).join(" ");
  const isPlain = mean.every((value) => value === 0) && std.every((value) => value === 1);
  return isPlain ? "not normalised" : `mean ${all(mean)}, std ${all(std)}`;
}

/** An encoder's preprocessing in one line. */
export function describePreprocessing({ framing, normalization }: Encoder): string {
  return `${describeFraming(framing)}; ${describeNormalization(normalization)}`;
}
