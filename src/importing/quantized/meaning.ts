import type { DType, Tensor } from "../../tensor/index.ts";
import { numbersIn } from "./dequantize.ts";

/** The meaning of a quantised value: (integer - zero point) * scale. All fields are names of values. */
export interface Meaning {
  /** The value of the float graph. */
  readonly float: string;
  readonly scale: string;
  readonly zeroPoint: string | undefined;
  /** The axis that scales are along, where there are several. */
  readonly axis: number;
  readonly dtype: DType;
}

/** Smallest and largest integer of the types that activations are rounded to; sums in int32 are not. */
const ranges: Readonly<Record<string, readonly [low: number, high: number]>> = {
  uint4: [0, 15],
  int4: [-8, 7],
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

export const rangeOf = (dtype: string): readonly [low: number, high: number] | undefined => ranges[dtype];

/** Whether two settings hold the same numbers; an absent zero point is 0. */
export function sameSetting(one: Tensor | undefined, other: Tensor | undefined): boolean {
  const [p, q] = [one, other].map((tensor) => (tensor ? numbersIn(tensor) : [0]));
  return p!.length === q!.length && p!.every((value, i) => value === q![i]);
}
