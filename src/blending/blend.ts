import { UsageError } from "../errors.ts";
import type { Encoder, Parameters } from "../models/index.ts";

/**
 * Interpolates two encoders: original + weight (robust - original) for every parameter (Wortsman et al. 2022, WiSE-FT).
 *
 * @param weight 0 is the original, 1 the robust encoder
 * @throws UsageError when the weight is outside [0, 1] or the encoders' tensors differ in name or shape
 *
 * @example
 * ```ts
 * import { blend, loadEncoder, saveEncoder } from "lore-vision";
 *
 * const original = await loadEncoder("openai/clip-vit-base-patch32");
 * const trained = await loadEncoder("runs/clip");
 * saveEncoder(blend(original, trained, 0.7), "blended-clip");
 * ```
 */
export function blend(original: Encoder, robust: Encoder, weight: number): Encoder {
  if (!(weight >= 0 && weight <= 1)) throw new UsageError(`A blend's weight lies in [0, 1], got ${weight}.`);
  checkSameTensors(original, robust);
  return robust.withParameters(blendParameters(original.parameters, robust.parameters, weight));
}

/** Parameters between two sets of the same names and shapes. */
export function blendParameters(original: Parameters, robust: Parameters, weight: number): Parameters {
  return new Map(
    [...robust].map(([name, { dtype, shape, data }]) => {
      const from = original.get(name)!.data;
      return [name, { dtype, shape, data: data.map((x, i) => from[i]! + weight * (x - from[i]!)) }];
    }),
  );
}

function checkSameTensors(original: Encoder, robust: Encoder): void {
  const shapes = ({ parameters }: Encoder): readonly string[] =>
    [...parameters].map(([name, { shape }]) => `${name} [${shape}]`);
  const [known, other] = [new Set(shapes(original)), new Set(shapes(robust))];
  const stranger = [...other].find((tensor) => !known.has(tensor)) ?? [...known].find((tensor) => !other.has(tensor));
  if (stranger === undefined) return;
  throw new UsageError(
    `${original.name} and ${robust.name} are not versions of one encoder: ${stranger} is in one of them only. ` +
      "Blend an encoder with what it was fine-tuned from, at the same image size.",
  );
}
