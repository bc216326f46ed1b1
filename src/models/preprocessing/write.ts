import { UsageError } from "../../errors.ts";
import { type Framing, filters } from "../../framing.ts";
import type { Encoder } from "../encoder.ts";
import { openClipPreprocessing } from "./open-clip.ts";
import { timmPreprocessing } from "./timm.ts";
import { roundingField } from "./transformers.ts";

/**
 * `preprocessor_config.json` of an encoder: every step said, so that all readers take the same, and what no reader does
 * otherwise by default.
 */
export function preprocessorConfig({ framing, normalization: { mean, std } }: Encoder): object {
  const { size, crop } = framing;
  const normalizes = [...mean, ...std.map((value) => value - 1)].some((value) => value !== 0);
  return {
    image_processor_type: "CLIPImageProcessor",
    ...resizeFields(framing),
    do_center_crop: crop !== "none",
    crop_size: { height: size, width: size },
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: normalizes,
    do_convert_rgb: true,
    image_mean: mean,
    image_std: std,
    ...(crop === "even" && { [roundingField]: "even" }),
  };
}

function resizeFields({ resize }: Framing): object {
  if (resize.kind === "none") return { do_resize: false };
  const size =
    resize.kind === "shortest" ? { shortest_edge: resize.edge } : { height: resize.height, width: resize.width };
  return { do_resize: true, size, resample: filters.indexOf(resize.filter) };
}

/** Parts of configurations on how images are prepared, by file and field, and how they are said. */
const parts = [
  ["config.json", "pretrained_cfg", timmPreprocessing],
  ["open_clip_config.json", "preprocess_cfg", openClipPreprocessing],
] as const;

/**
 * A configuration that goes along with an encoder, with what it says of how images are prepared made true; where its format
 * has no words for that, without it: `preprocessor_config.json` says it.
 */
export function withPreprocessing(name: string, content: Uint8Array, encoder: Encoder): Uint8Array | string {
  const [, field, fieldsOf] = parts.find(([file]) => file === name) ?? [];
  if (field === undefined || fieldsOf === undefined) return content;
  const config = JSON.parse(new TextDecoder().decode(content)) as Readonly<Record<string, unknown>> | null;
  const given = config?.[field];
  if (typeof given !== "object" || given === null) return content;
  const { [field]: _, ...rest } = config!;
  const fields = fieldsOr(() => fieldsOf(encoder.framing, encoder.normalization));
  const { crop_mode: __, ...kept } = given as Readonly<Record<string, unknown>>;
  return JSON.stringify(fields ? { ...rest, [field]: { ...kept, ...fields } } : rest, undefined, 2);
}

function fieldsOr(fields: () => object): object | undefined {
  try {
    return fields();
  } catch (cause) {
    if (cause instanceof UsageError) return undefined;
    throw cause;
  }
}
