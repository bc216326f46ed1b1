import { UsageError } from "../../errors.ts";
import type { Encoder, Weights } from "../encoder.ts";
import { ConvNextEncoder } from "./convnext.ts";
import { resampledPositions } from "./positions.ts";
import { resizing } from "./resized.ts";
import { VitEncoder } from "./vit.ts";

/**
 * The encoder as it sees the same images at about half their size, over the same weights: pixels are resized inside the graph
 * (bicubic, without antialiasing), and position embeddings interpolated. The size is the multiple of the encoder's stride
 * nearest to half of its own.
 *
 * @throws UsageError when the encoder takes images of one size only, or of none smaller
 */
export function lowResolution(encoder: Encoder): Encoder["embed"] {
  if (encoder instanceof VitEncoder) {
    const { imageSize, architecture } = encoder;
    const size = nearHalf(encoder, architecture.patch);
    const [grid, side] = [imageSize / architecture.patch, size / architecture.patch];
    const small = resizing(new VitEncoder({ ...encoder, imageSize: size }), imageSize);
    return (pixels, weights) => {
      const positions: Weights = (name) =>
        name === "pos_embed" ? resampledPositions(weights(name), grid, side) : weights(name);
      return small.embed(pixels, positions);
    };
  }
  if (encoder instanceof ConvNextEncoder) {
    const small = resizing(
      new ConvNextEncoder({ ...encoder, imageSize: nearHalf(encoder, encoder.stride) }),
      encoder.imageSize,
    );
    return (pixels, weights) => small.embed(pixels, weights);
  }
  throw new UsageError(`${encoder.name} takes images of one size only: it has no view of them at low resolution.`);
}

function nearHalf({ name, imageSize }: Encoder, stride: number): number {
  const size = Math.max(1, Math.round(imageSize / 2 / stride)) * stride;
  if (size < imageSize) return size;
  throw new UsageError(
    `${name} at ${imageSize} pixels has no lower resolution: images must be multiples of its stride ${stride}.`,
  );
}
