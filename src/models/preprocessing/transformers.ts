import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { type Crop, type Filter, type Framing, framingAt, type Resize } from "../../framing.ts";
import type { Normalization } from "../encoder.ts";
import type { Config } from "../layouts/config.ts";
import {
  channelsField,
  checkedDeviations,
  filterField,
  flagField,
  positiveField,
  refusal,
  type Size,
  sizeField,
} from "./fields.ts";
import { type Processor, processorOfModel, processors } from "./processors.ts";
import type { Stated } from "./stated.ts";
import { statedByTimm } from "./timm.ts";

/** A field of our own: how transformers rounds is not how torchvision does, and it has no other field for it. */
export const roundingField = "center_crop_rounding";

/** Steps that are computed, and those that do nothing to the pixels of photographs. */
const knownSteps: ReadonlySet<string> = new Set([
  ...["do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_flip_channel_order"],
  // Images are always converted to RGB, which this requests. Labels are no pixels.
  ...["do_convert_rgb", "do_reduce_labels"],
]);

/** Fields that change what resizing does, in ways that are not computed. */
const otherSizes = [
  ...["size_divisor", "size_divisibility", "keep_aspect_ratio", "ensure_multiple_of", "max_size"],
  ...["min_pixels", "max_pixels", "use_square_size", "max_num_patches", "resize_mode", "crop_mode", "interpolation"],
];

/**
 * Reads `preprocessor_config.json` as transformers' image processors with Pillow do. See `processors` for absent fields.
 * Where it does not name its processor, the model's is meant, but an absent size is that of the crop. Where
 * nothing tells, an absent field is CLIP's, and images are stretched where there is a height and a width and no crop.
 *
 * @param modelType `model_type` of config.json
 * @throws UsageError naming a field that cannot be computed
 */
export function statedByTransformers(config: Config, modelType: string | undefined): Stated {
  const name = processorName(config);
  if (name === "TimmWrapper") return statedByTimm(config.object("pretrained_cfg"));
  const known = name ?? processorOfModel[modelType ?? ""];
  const processor =
    known === undefined ? undefined : name === undefined ? sizeless(processors[known]) : processors[known];
  if (known !== undefined && !processor)
    throw new UsageError(
      `${config.path}: its image processor is ${name}, and what that does is not known here. If it only resizes, cuts out ` +
        "the centre and normalises, write so with image_processor_type CLIPImageProcessor.",
    );
  refuseOtherSteps(config, processor);
  const framing = name !== undefined || saysFraming(config) ? framingIn(config, processor) : {};
  const normalization = normalizationIn(config, processor);
  return { source: config.path, ...framing, ...defined({ normalization }) };
}

/** A processor that is implied, not named. Its default sizes are not assumed. */
function sizeless(processor: Processor | undefined): Processor | undefined {
  if (!processor) return undefined;
  const { size: _, cropSize: __, ...rest } = processor;
  return rest;
}

/** `CLIP` of `CLIPImageProcessorFast` or `CLIPFeatureExtractor`; undefined where nothing is said, or no kind. */
function processorName(config: Config): string | undefined {
  const given = config.text("image_processor_type") ?? config.text("feature_extractor_type");
  const name = given?.replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, "");
  // transformers.js' own: the usual steps, without defaults.
  return name === "" || name === "Image" || /^MobileNetV[34]$/.test(name ?? "") ? undefined : name;
}

function refuseOtherSteps(config: Config, processor: Processor | undefined): void {
  const step = config.names.find(
    (name) => name.startsWith("do_") && !knownSteps.has(name) && flagField(config, name, false),
  );
  const flips = flagField(config, "do_flip_channel_order", processor?.flipsChannels ?? false);
  const unknown = step ?? (flips ? "do_flip_channel_order" : undefined);
  if (config.given("antialias") === false) throw refusal(config, "antialias", "resizing is computed with it");
  if (unknown !== undefined)
    throw new UsageError(`${config.path}: it asks for ${unknown}, which is not computed here.`);
  const sized = otherSizes.find((name) => ![undefined, false, 1].includes(config.given(name) as undefined));
  if (sized !== undefined)
    throw new UsageError(
      `${config.path}: ${sized} is ${JSON.stringify(config.given(sized))}, by which images would be resized in a way that is ` +
        "not computed here.",
    );
}

function saysFraming(config: Config): boolean {
  const fields = ["size", "image_size", "crop_size", "crop_pct", "do_resize", "do_center_crop", "resample"];
  return fields.some((name) => config.given(name) !== undefined);
}

type StatedFraming = Pick<Stated, "size" | "framing">;

function framingIn(config: Config, processor: Processor | undefined): StatedFraming {
  const size = sizeField(config, config.given("size") === undefined ? "image_size" : "size");
  const cropSize = sizeField(config, "crop_size");
  const saysResize = flagField(config, "do_resize", undefined);
  const saysCrop = flagField(config, "do_center_crop", undefined);
  const crops = saysCrop ?? processor?.crops ?? (cropSize !== undefined || size?.kind !== "sides");
  const resize =
    (saysResize ?? true)
      ? resizeOf(config, processor, { size: size ?? defaultSize(config, processor, cropSize), crops })
      : ({ kind: "none" } as const);
  if (processor?.special === "convnext" && resize.kind !== "none") return convNext(config, resize, cropSize);
  const side = crops
    ? (squareOf(config, "crop_size", cropSize) ?? processor?.cropSize ?? edgeOf(config, resize))
    : (uncutSide(config, resize) ?? squareOf(config, "crop_size", cropSize));
  const crop = crops ? roundingIn(config) : "none";
  refuseOtherShare(config, processor, { resize, side });
  if (side === undefined) return { framing: (wanted) => ({ size: wanted, resize, crop }) };
  return { size: side, framing: (wanted) => framingAt({ size: side, resize, crop }, wanted) };
}

/** Only some processors have `crop_pct`; elsewhere it does nothing, and may only repeat what the sizes say. */
function refuseOtherShare(
  config: Config,
  processor: Processor | undefined,
  { resize, side }: { readonly resize: Resize; readonly side: number | undefined },
): void {
  if (processor?.special === "poolformer" || config.given("crop_pct") === undefined) return;
  const share = positiveField(config, "crop_pct", 1);
  const edge = resize.kind === "shortest" ? resize.edge : side;
  if (side === undefined || edge === Math.floor(side / share)) return;
  throw refusal(config, "crop_pct", `its size and crop_size say another share, ${side} of ${edge} pixels`);
}

function roundingIn(config: Config): Exclude<Crop, "none"> {
  return config.text(roundingField) === "even" ? "even" : "down";
}

/** The size for a configuration without one: the processor's own, else that of the crop. */
function defaultSize(config: Config, processor: Processor | undefined, cropSize: Size | undefined): Size {
  const own = processor?.size;
  if (own !== undefined && processor?.numberMeans === "shorter edge") return { kind: "shorter edge", pixels: own };
  if (own !== undefined) return { kind: "sides", height: own, width: own };
  const pixels = squareOf(config, "crop_size", cropSize);
  if (pixels !== undefined) return { kind: "number", pixels };
  throw new UsageError(`${config.path}: images are to be resized, and no size says to what.`);
}

function resizeOf(
  config: Config,
  processor: Processor | undefined,
  { size, crops }: { readonly size: Size; readonly crops: boolean },
): Resize {
  const filter = filterOf(config, processor);
  if (size.kind === "sides" && processor?.special !== "poolformer") {
    const { width, height } = size;
    return { kind: "exact", width, height, filter };
  }
  const pixels = size.kind === "sides" ? squareOf(config, "size", size)! : size.pixels;
  if (size.kind === "number" && numberMeans(config, processor, crops) === "square")
    return { kind: "exact", width: pixels, height: pixels, filter };
  switch (processor?.special) {
    case "levit":
      return { kind: "shortest", edge: Math.floor((256 / 224) * pixels), filter };
    case "poolformer":
      return { kind: "shortest", edge: Math.floor(pixels / positiveField(config, "crop_pct", 0.9)), filter };
    default:
      return { kind: "shortest", edge: pixels, filter };
  }
}

function numberMeans(
  config: Config,
  processor: Processor | undefined,
  crops: boolean,
): Exclude<Processor["numberMeans"], "neither"> {
  const squares = flagField(config, "default_to_square", undefined);
  if (squares !== undefined) return squares ? "square" : "shorter edge";
  if (processor?.numberMeans === "neither")
    throw refusal(config, "size", "versions of transformers differ in it here: say {height, width} or {shortest_edge}");
  return processor?.numberMeans ?? (crops ? "shorter edge" : "square");
}

function filterOf(config: Config, processor: Processor | undefined): Filter {
  const said = filterField(config, "resample") ?? (processor ? processor.resample : "bicubic");
  if (said) return said;
  throw new UsageError(
    `${config.path}: no resample says how images are resized, and versions of transformers differ in what they do then.`,
  );
}

/** ConvNeXt's own: under 384 pixels the centre of a larger image, from there on the whole image, stretched. */
function convNext(config: Config, resize: Resize, cropSize: Size | undefined): StatedFraming {
  if (resize.kind !== "shortest")
    throw new UsageError(`${config.path}: a ConvNeXt's size is {shortest_edge}, and here it is another.`);
  const { edge: size, filter } = resize;
  const cut = squareOf(config, "crop_size", cropSize);
  if (flagField(config, "do_center_crop", false) && cut !== size)
    throw new UsageError(`${config.path}: a ConvNeXt's images are cut to its size, ${size}, and crop_size is ${cut}.`);
  const edge = Math.floor(size / positiveField(config, "crop_pct", 224 / 256));
  const framing: Framing =
    size < 384
      ? { size, resize: { kind: "shortest", edge, filter }, crop: roundingIn(config) }
      : { size, resize: { kind: "exact", width: size, height: size, filter }, crop: "none" };
  return { size, framing: (wanted) => framingAt(framing, wanted) };
}

/** The side of a square, in any form of it. */
function squareOf(config: Config, name: string, size: Size | undefined): number | undefined {
  if (size?.kind === "number") return size.pixels;
  if (size?.kind === "sides" && size.height === size.width) return size.height;
  if (!size) return undefined;
  throw new UsageError(
    `${config.path}: ${name} is ${JSON.stringify(config.given(name))}; a square of so many pixels is needed.`,
  );
}

/** Side of a crop without a size of its own. */
function edgeOf(config: Config, resize: Resize): number | undefined {
  if (resize.kind !== "exact") return resize.kind === "shortest" ? resize.edge : undefined;
  return uncutSide(config, resize);
}

/** The side of images that nothing is cut from. */
function uncutSide(config: Config, resize: Resize): number | undefined {
  if (resize.kind === "none") return undefined;
  if (resize.kind === "shortest") return resize.edge;
  if (resize.width === resize.height) return resize.width;
  throw new UsageError(
    `${config.path}: it makes images of ${resize.width} x ${resize.height} pixels; only squares can be used.`,
  );
}

function normalizationIn(config: Config, processor: Processor | undefined): Normalization | undefined {
  const given = {
    mean: channelsField(config, "image_mean", "mean"),
    std: channelsField(config, "image_std", "std"),
  };
  const known = (name: "mean" | "std"): Normalization["mean"] | undefined =>
    given[name] ?? processor?.normalization?.[name];
  const [mean, std] = [known("mean"), known("std")];
  const saysRescale =
    flagField(config, "do_rescale", undefined) !== undefined || config.given("rescale_factor") !== undefined;
  const normalizes = flagField(config, "do_normalize", processor ? processor.normalization !== undefined : undefined);
  if (normalizes && !(mean && std))
    throw new UsageError(`${config.path}: do_normalize asks for image_mean and image_std, and they are not there.`);
  if (normalizes === undefined && !(mean && std)) {
    if (given.mean || given.std)
      throw new UsageError(`${config.path}: of image_mean and image_std one is there and the other is not.`);
    return saysRescale ? rescaled(config, processor) : undefined;
  }
  const scaled = rescaled(config, processor);
  const usual = normalizes === false ? scaled : behind(scaled, { mean: mean!, std: checkedDeviations(config, std!) });
  if (processor?.special !== "efficientnet" || !flagField(config, "include_top", true)) return usual;
  // Its original training code divides by the standard deviations a second time.
  return behind(usual, { mean: [0, 0, 0], std: checkedDeviations(config, std!) });
}

/** The effect on pixels in [0, 1] of rescaling levels from 0 to 255. */
function rescaled(config: Config, processor: Processor | undefined): Normalization {
  const factor = positiveField(config, "rescale_factor", 1 / 255);
  const rescales = flagField(config, "do_rescale", true);
  const scale = 255 * (rescales ? factor : 1);
  const shift = rescales && offsets(config, processor) ? 1 : 0;
  return { mean: each(() => shift / scale), std: each(() => 1 / scale) };
}

/** Only EfficientNet's processor has `rescale_offset`: where another is named, readers would differ. */
function offsets(config: Config, processor: Processor | undefined): boolean {
  const isAsked = flagField(config, "rescale_offset", false);
  if (isAsked && processor && processor.special !== "efficientnet")
    throw refusal(config, "rescale_offset", "its image processor has no such step, and would leave it out");
  return isAsked;
}

/** One normalisation, and another of what it gives: ((x - m1) / s1 - m2) / s2. */
function behind(first: Normalization, second: Normalization): Normalization {
  return {
    mean: each((i) => first.mean[i]! + first.std[i]! * second.mean[i]!),
    std: each((i) => first.std[i]! * second.std[i]!),
  };
}

function each(value: (channel: 0 | 1 | 2) => number): Normalization["mean"] {
  return [value(0), value(1), value(2)];
}
