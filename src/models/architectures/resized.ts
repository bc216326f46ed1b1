import type { Value } from "../../graph/index.ts";
import type { Encoder, Parameters, Weights } from "../encoder.ts";
import { bicubicMatrix } from "./bicubic.ts";

/**
 * An encoder behind a resize: it takes images of another size and brings them to its own inside the graph, so that an
 * attack perturbs the pixels people see. The published protocol attacks CIFAR and STL in this way (RobustVLM: bicubic,
 * no antialiasing, values beyond [0, 1] kept).
 *
 * @param size side of the images in pixels
 */
export function resizing(encoder: Encoder, size: number): Encoder {
  return size === encoder.imageSize ? encoder : { ...described(encoder), ...resized(encoder, size) };
}

function described({ name, embeddingSize, normalization, parameters, layout, head, headAdvice, text }: Encoder) {
  return {
    ...{ name, embeddingSize, normalization, parameters, layout },
    ...(head && { head }),
    ...(headAdvice !== undefined && { headAdvice }),
    ...(text && { text }),
  };
}

function resized(encoder: Encoder, size: number) {
  const resize = (pixels: Value): Value => {
    const { graph: g } = pixels;
    const shape = [encoder.imageSize, size];
    const matrix = g.constant({ dtype: "float32", shape, data: bicubicMatrix(size, encoder.imageSize) });
    return g.matMul(g.matMul(matrix, pixels), g.swap(matrix));
  };
  return {
    imageSize: size,
    embed: (pixels: Value, weights: Weights) => encoder.embed(resize(pixels), weights),
    embedNormalized: (pixels: Value, weights: Weights) => encoder.embedNormalized(resize(pixels), weights),
    headFeatures: (pixels: Value, weights: Weights) => encoder.headFeatures(resize(pixels), weights),
    withParameters: (parameters: Parameters) => resizing(encoder.withParameters(parameters), size),
  };
}
