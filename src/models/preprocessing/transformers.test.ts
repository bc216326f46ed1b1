import { expect, test } from "vitest";
import { UsageError } from "../../errors.ts";
import { describeFraming } from "../../framing.ts";
import { Config } from "../layouts/config.ts";
import { normalizations } from "../normalizations.ts";
import { statedByTransformers } from "./transformers.ts";

const read = (json: object, modelType?: string) =>
  statedByTransformers(new Config(json, "preprocessor_config.json"), modelType);

/** The framing that a file states, at its own size. */
function framed(json: object, modelType?: string): string {
  const { size, framing } = read(json, modelType);
  return framing === undefined || size === undefined ? "nothing" : describeFraming(framing(size));
}

/** The steps of transformers 5.18's processors with Pillow, whose pixels these and more configurations gave to 2e-7. */
const cases: readonly (readonly [object, string])[] = [
  [
    { size: { shortest_edge: 256 }, crop_size: { height: 224, width: 224 } },
    "shorter edge to 256 pixels (bicubic), centre 224 x 224 cut out",
  ],
  [{ size: 40, crop_size: 32, resample: 2 }, "shorter edge to 40 pixels (bilinear), centre 32 x 32 cut out"],
  [
    { size: { height: 36, width: 40 }, crop_size: [33, 33], resample: 0, image_processor_type: "CLIPImageProcessor" },
    "stretched to 40 x 36 pixels (nearest), centre 33 x 33 cut out",
  ],
  [{ image_processor_type: "CLIPImageProcessor" }, "shorter edge to 224 pixels (bicubic), centre 224 x 224 cut out"],
  [
    { feature_extractor_type: "CLIPFeatureExtractor", size: 64 },
    "shorter edge to 64 pixels (bicubic), centre 224 x 224 cut out",
  ],
  [{ do_resize: false, crop_size: 32 }, "not resized, centre 32 x 32 cut out"],
  [{ do_resize: false, do_center_crop: false, crop_size: 32 }, "taken as they are, 32 x 32 pixels"],
  [
    { size: { shortest_edge: 40 }, do_center_crop: false },
    "shorter edge to 40 pixels (bicubic), nothing cut: they must be 40 x 40 then",
  ],
  [{ image_processor_type: "ViTImageProcessor", size: 32 }, "stretched to 32 x 32 pixels (bilinear)"],
  [{ image_processor_type: "ViTFeatureExtractor", size: [30, 30], resample: 4 }, "stretched to 30 x 30 pixels (box)"],
  [
    {
      image_processor_type: "ViTImageProcessorFast",
      size: { height: 8, width: 8 },
      crop_size: null,
      do_center_crop: null,
      do_pad: null,
    },
    "stretched to 8 x 8 pixels (bilinear)",
  ],
  [{ image_processor_type: "DeiTImageProcessor" }, "stretched to 256 x 256 pixels (bicubic), centre 224 x 224 cut out"],
  [
    { image_processor_type: "BitImageProcessorPil", size: { shortest_edge: 256, longest_edge: null }, crop_size: 224 },
    "shorter edge to 256 pixels (bicubic), centre 224 x 224 cut out",
  ],
  [
    { image_processor_type: "ConvNextImageProcessor", size: { shortest_edge: 224 }, crop_pct: 0.875, resample: 3 },
    "shorter edge to 256 pixels (bicubic), centre 224 x 224 cut out",
  ],
  [
    { image_processor_type: "ConvNextFeatureExtractor", size: 384, resample: 2 },
    "stretched to 384 x 384 pixels (bilinear)",
  ],
  [{ image_processor_type: "LevitImageProcessor" }, "shorter edge to 256 pixels (bicubic), centre 224 x 224 cut out"],
  [
    { image_processor_type: "PoolFormerImageProcessor" },
    "shorter edge to 248 pixels (bicubic), centre 224 x 224 cut out",
  ],
  [
    { image_processor_type: "SiglipImageProcessor", size: { height: 384, width: 384 } },
    "stretched to 384 x 384 pixels (bicubic)",
  ],
  [
    { image_processor_type: "MobileNetV1ImageProcessor" },
    "shorter edge to 256 pixels (bilinear), centre 224 x 224 cut out",
  ],
  [{ image_processor_type: "BeitImageProcessor" }, "stretched to 224 x 224 pixels (bicubic)"],
  [
    { image_processor_type: "ViTImageProcessor", size: 32, default_to_square: false },
    "shorter edge to 32 pixels (bilinear), nothing cut: they must be 32 x 32 then",
  ],
  [
    { size: { shortest_edge: 256 }, crop_size: 224, crop_pct: 0.875 },
    "shorter edge to 256 pixels (bicubic), centre 224 x 224 cut out",
  ],
  // A size of the processor's own is not what a number means, whatever default_to_square says of that.
  [
    { image_processor_type: "LevitImageProcessor", crop_size: 32, default_to_square: true },
    "shorter edge to 256 pixels (bicubic), centre 32 x 32 cut out",
  ],
  [
    { image_processor_type: "OwlViTImageProcessor", default_to_square: false },
    "stretched to 768 x 768 pixels (bicubic)",
  ],
  [{ image_processor_type: "SiglipImageProcessor" }, "stretched to 224 x 224 pixels (bicubic)"],
  // Without a processor: one number is the shorter edge where something is cut, and the present rule where nothing is said.
  [{ size: 32, do_center_crop: true, crop_size: 32 }, "shorter edge to 32 pixels (bicubic), centre 32 x 32 cut out"],
  [{ size: 32 }, "shorter edge to 32 pixels (bicubic), centre 32 x 32 cut out"],
  [{ size: 32, do_center_crop: false }, "stretched to 32 x 32 pixels (bicubic)"],
  [{ size: { height: 32, width: 32 } }, "stretched to 32 x 32 pixels (bicubic)"],
  [{ image_size: 32, resample: "bilinear" }, "shorter edge to 32 pixels (bilinear), centre 32 x 32 cut out"],
  [{ crop_size: { height: 42, width: 42 } }, "shorter edge to 42 pixels (bicubic), centre 42 x 42 cut out"],
  [{ image_mean: [0, 0, 0], image_std: [1, 1, 1] }, "nothing"],
];

test.each(cases)("%j", (json, description) => {
  expect(framed(json)).toBe(description);
});

test("a processor that is not named is the model's", () => {
  expect(framed({ size: 224 }, "swin")).toBe("stretched to 224 x 224 pixels (bilinear)");
  expect(framed({ size: { shortest_edge: 256 }, crop_size: 224 }, "dinov2")).toMatch(/^shorter edge to 256/);
  expect(framed({ size: { shortest_edge: 224 }, resample: 3 }, "convnext")).toMatch(/^shorter edge to 256/);
  // Its sizes cannot be guessed safely.
  expect(framed({ crop_size: 42 }, "dinov2")).toMatch(/^shorter edge to 42/);
  expect(framed({ image_mean: [0, 0, 0], image_std: [1, 1, 1] }, "clip")).toBe("nothing");
});

test("at another size the resize scales in proportion", () => {
  const { framing } = read({ size: { shortest_edge: 256 }, crop_size: 224 });
  expect(describeFraming(framing!(98))).toMatch(/shorter edge to 112 .* 98 x 98/);
});

test("centres are rounded as transformers does, unless the file says that it is torchvision", () => {
  const json = { size: 40, crop_size: 32 };
  expect(read(json).framing!(32).crop).toBe("down");
  expect(read({ ...json, center_crop_rounding: "even" }).framing!(32).crop).toBe("even");
});

test("rescaling and normalising are one normalisation of pixels in [0, 1]", () => {
  const half = { image_mean: [0.5, 0.5, 0.5], image_std: [0.25, 0.5, 0.5] };
  expect(read(half).normalization).toEqual({ mean: half.image_mean, std: half.image_std });
  expect(read({ mean: 0.5, std: 0.25 }).normalization).toEqual({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
  expect(read({ ...half, do_normalize: false }).normalization).toEqual(normalizations.none);
  expect(read({ do_normalize: false, do_rescale: false }).normalization).toEqual(normalizations.bytes);
  expect(read({ rescale_factor: 1 / 255 }).normalization).toEqual(normalizations.none);
  expect(read({ size: 32 }).normalization).toBeUndefined();
  // x / 127.5 - 1, as 255 x levels.
  const shifted = read({ rescale_factor: 1 / 127.5, image_mean: [1, 1, 1], image_std: [1, 1, 1] }).normalization!;
  expect(shifted.mean[0]).toBeCloseTo(0.5, 15);
  expect(shifted.std[0]).toBeCloseTo(0.5, 15);
  // (255 x - 120) / 60
  const levels = read({ do_rescale: false, image_mean: [120, 120, 120], image_std: [60, 60, 60] }).normalization!;
  expect((1 - levels.mean[0]) / levels.std[0]).toBeCloseTo((255 - 120) / 60, 12);
  expect(read({ image_processor_type: "SiglipImageProcessor" }).normalization).toEqual(normalizations.half);
});

test("EfficientNet divides by its deviations twice, and may rescale to [-1, 1]", () => {
  const base = {
    image_processor_type: "EfficientNetImageProcessor",
    size: 32,
    resample: 3,
    image_std: [0.5, 0.5, 0.25],
  };
  expect(read({ ...base, image_mean: [0.5, 0.5, 0.5] }).normalization).toEqual({
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.0625],
  });
  const offset = { ...base, rescale_factor: 1 / 127.5, rescale_offset: true, do_normalize: false, include_top: false };
  const { mean, std } = read(offset).normalization!;
  // 2 x - 1
  expect([mean[0], std[0]].map((value) => value.toFixed(12))).toEqual(["0.500000000000", "0.500000000000"]);
  expect(read({ ...offset, do_rescale: false }).normalization).toEqual(normalizations.bytes);
});

test.each<readonly [object, RegExp]>([
  [{ do_pad: true }, /preprocessor_config\.json: it asks for do_pad, which is not computed/],
  [{ do_thumbnail: true, size: 32 }, /do_thumbnail/],
  [{ do_flip_channel_order: true }, /do_flip_channel_order/],
  [{ image_processor_type: "MobileViTImageProcessor" }, /do_flip_channel_order/],
  [{ image_processor_type: "CLIPImageProcessor", rescale_offset: true }, /rescale_offset is true; .* has no such step/],
  [
    { image_processor_type: "SiglipImageProcessor", size: 32 },
    /size is 32; versions of transformers differ in it here/,
  ],
  [{ image_mean: [0.5, 0.5], image_std: [1, 1] }, /image_mean is \[0\.5,0\.5\]; three numbers/],
  [{ image_processor_type: "SamImageProcessor" }, /its image processor is Sam, and what that does is not known/],
  [{ size: { longest_edge: 512 } }, /size is \{"longest_edge":512\}; a number, \{shortest_edge\} or \{height, width\}/],
  [{ size: { shortest_edge: 256, longest_edge: 512 } }, /size is .*longest_edge/],
  [{ size: { max_height: 8, max_width: 8 } }, /size is .*max_height/],
  [{ size: { width: 8 } }, /size is \{"width":8\}/],
  [{ size: 32.5 }, /size is 32\.5/],
  [{ size: "32" }, /size is "32"/],
  [{ size: { height: 30, width: 32 } }, /images of 32 x 30 pixels; only squares/],
  [{ size: 40, crop_size: { height: 30, width: 32 } }, /crop_size is \{"height":30,"width":32\}; a square/],
  [{ size: 40, crop_size: { shortest_edge: 32 } }, /crop_size is \{"shortest_edge":32\}; a square/],
  [{ do_resize: "yes" }, /do_resize is "yes"; true or false/],
  [{ do_resize: true }, /no size says to what/],
  [{ size: 32, resample: 6 }, /resample is 6; it must be one of Pillow's filters \(0 nearest, 1 lanczos, 2 bilinear/],
  [{ size: 32, resample: "cubic" }, /resample is "cubic"/],
  [{ image_processor_type: "ConvNextImageProcessor", size: { shortest_edge: 224 } }, /no resample says how/],
  [{ size: 32, size_divisor: 32 }, /size_divisor is 32, by which images would be resized/],
  [{ size: { height: 32, width: 32 }, keep_aspect_ratio: true }, /keep_aspect_ratio is true/],
  [
    { size: 224, crop_size: 224, crop_pct: 0.875 },
    /crop_pct is 0\.875; its size and crop_size say another share, 224 of 224/,
  ],
  [{ size: 32, interpolation: "bilinear" }, /interpolation is "bilinear", by which/],
  [{ size: 32, antialias: false }, /antialias is false/],
  [{ image_mean: [0.5], image_std: [0.5] }, /image_mean is \[0\.5\]; three numbers/],
  [{ image_mean: [0, 0, 0] }, /of image_mean and image_std one is there/],
  [{ image_mean: [0, 0, 0], image_std: [1, 0, 1] }, /standard deviations are 1, 0, 1; numbers above 0/],
  [{ do_normalize: true }, /do_normalize asks for image_mean and image_std/],
  [{ rescale_factor: -1, do_normalize: false }, /rescale_factor is -1; a number above 0/],
])("%j is refused by name", (json, message) => {
  expect(() => read(json)).toThrow(UsageError);
  expect(() => read(json)).toThrow(message);
});
