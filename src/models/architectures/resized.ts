import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { asTheyAre, cropOffset, type Filter, type Framing } from "../../framing.ts";
import type { Value } from "../../graph/index.ts";
import type { Encoder, Parameters, Weights } from "../encoder.ts";
import { bicubicMatrix, bilinearMatrix } from "./bicubic.ts";

/**
 * An encoder behind a resize: it takes images of another size and brings them to its own inside the graph (bicubic, no
 * antialiasing, values beyond [0, 1] kept).
 *
 * @param size side of the images in pixels
 */
export function resizing(encoder: Encoder, size: number): Encoder {
  if (size === encoder.imageSize) return encoder;
  const matrix = bicubicMatrix(size, encoder.imageSize);
  return behind(encoder, size, { rows: matrix, columns: matrix });
}

/**
 * An encoder of square images at their own resolution, which are framed as it is made for inside the graph, so that an attack
 * perturbs the pixels people see. The published protocol attacks CIFAR and STL in this way (RobustVLM): interpolation
 * without antialiasing, values beyond [0, 1] kept.
 *
 * @param size side of the images in pixels
 * @throws UsageError when it is made for images that are resized with a filter that is not computed in a graph, or that do
 *   not fit
 */
export function atNativeResolution(encoder: Encoder, size: number): Encoder {
  const { framing, imageSize, name } = encoder;
  const { resize } = framing;
  const matrix = (side: number): Float32Array => {
    if (framing.crop === "none" && side !== imageSize)
      throw new UsageError(`${name} takes images of ${imageSize} pixels, uncut, and these would be of ${side}.`);
    const filter = resize.kind === "none" ? "bicubic" : resize.filter;
    return centre(
      interpolated({ name, filter, size, side }),
      size,
      imageSize,
      framing.crop === "even" ? "even" : "down",
    );
  };
  const [height, width] = sidesOf(framing, size);
  if (height === size && width === size && size === imageSize) return encoder;
  // One constant of the graph where both are the same.
  const rows = matrix(height);
  return behind(encoder, size, { rows, columns: width === height ? rows : matrix(width) });
}

function sidesOf({ resize }: Framing, size: number): readonly [height: number, width: number] {
  switch (resize.kind) {
    case "none":
      return [size, size];
    case "shortest":
      return [resize.edge, resize.edge];
    case "exact":
      return [resize.height, resize.width];
  }
}

/** Matrices of the two axes, [imageSize, size] each: framed = rows pixels columns^T. */
interface Matrices {
  readonly rows: Float32Array;
  readonly columns: Float32Array;
}

interface Interpolation {
  readonly name: string;
  readonly filter: Filter;
  /** Side of the images before and after. */
  readonly size: number;
  readonly side: number;
}

function interpolated({ name, filter, size, side }: Interpolation): Float32Array {
  // No filter has an effect without a change of size.
  if (filter === "bicubic" || side === size) return bicubicMatrix(size, side);
  if (filter === "bilinear") return bilinearMatrix(size, side);
  throw new UsageError(
    `${name} is made for images that are resized with the filter ${filter}, which is not computed at native resolution.`,
  );
}

/** The rows of a matrix [side, size] that make the square in the centre [imageSize, size]; beyond them is black. */
function centre(matrix: Float32Array, size: number, imageSize: number, crop: "down" | "even"): Float32Array {
  const offset = cropOffset(matrix.length / size - imageSize, crop);
  const kept = new Float32Array(imageSize * size);
  for (let row = Math.max(0, -offset); row < imageSize; row++)
    kept.set(matrix.subarray((row + offset) * size, (row + offset + 1) * size), row * size);
  return kept;
}

function described({ name, embeddingSize, normalization, parameters, layout, head, headAdvice, text }: Encoder) {
  return {
    ...{ name, embeddingSize, normalization, parameters, layout },
    ...defined({ head, headAdvice, text }),
  };
}

function behind(encoder: Encoder, size: number, { rows, columns }: Matrices): Encoder {
  const frame = (pixels: Value): Value => {
    const { graph: g } = pixels;
    const matrix = (data: Float32Array): Value =>
      g.constant({ dtype: "float32", shape: [encoder.imageSize, size], data });
    const left = matrix(rows);
    return g.matMul(g.matMul(left, pixels), g.swap(columns === rows ? left : matrix(columns)));
  };
  return {
    ...described(encoder),
    imageSize: size,
    framing: asTheyAre(size),
    embed: (pixels: Value, weights: Weights) => encoder.embed(frame(pixels), weights),
    embedNormalized: (pixels: Value, weights: Weights) => encoder.embedNormalized(frame(pixels), weights),
    headFeatures: (pixels: Value, weights: Weights) => encoder.headFeatures(frame(pixels), weights),
    withParameters: (parameters: Parameters) => behind(encoder.withParameters(parameters), size, { rows, columns }),
  };
}
