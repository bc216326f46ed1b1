import type { Encoder } from "../encoder.ts";

/** What image processors do with an image before the encoder sees it. */
export function preprocessorConfig({ imageSize, normalization }: Encoder): object {
  return {
    image_processor_type: "CLIPImageProcessor",
    do_resize: true,
    size: { shortest_edge: imageSize },
    resample: 3,
    do_center_crop: true,
    crop_size: { height: imageSize, width: imageSize },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    do_convert_rgb: true,
    image_mean: normalization.mean,
    image_std: normalization.std,
  };
}
