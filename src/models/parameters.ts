import { UsageError } from "../errors.ts";
import { describeType } from "../tensor/index.ts";
import type { Parameters } from "./encoder.ts";

/**
 * The tensors of an architecture among those given, in its order.
 *
 * @param name of the encoder, for messages
 * @throws UsageError naming the tensor that is missing or of another shape
 */
export function checkedParameters(
  name: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  given: Parameters,
): Parameters {
  return new Map(
    [...shapes].map(([key, shape]) => {
      const found = given.get(key);
      if (!found) throw new UsageError(`${name}: the tensor ${key} is missing.`);
      if (found.shape.join() !== shape.join()) {
        const got = describeType(found.dtype, found.shape);
        throw new UsageError(
          `${name}: the tensor ${key} is ${got}, but this architecture needs ${describeType("float32", shape)}.`,
        );
      }
      return [key, found];
    }),
  );
}

/** @throws UsageError when the side of an image does not divide into steps of the encoder's stride */
export function checkImageSize(name: string, imageSize: number, stride: number, what: string): void {
  if (Number.isInteger(imageSize) && imageSize >= stride && imageSize % stride === 0) return;
  throw new UsageError(`Image size ${imageSize} does not fit ${name}: it must be a multiple of its ${what} ${stride}.`);
}
