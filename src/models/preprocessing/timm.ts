import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { describeFraming, type Framing } from "../../framing.ts";
import type { Normalization } from "../encoder.ts";
import type { Config } from "../layouts/config.ts";
import { channelsField, checkedDeviations, filterField, positiveField, refusal } from "./fields.ts";
import type { Stated } from "./stated.ts";

/**
 * Reads timm's `pretrained_cfg`: the shorter edge becomes size / crop_pct, rounded down, and the centre is cut out
 * (`transforms_imagenet_eval`). Fields that are left out are timm's defaults.
 *
 * @throws UsageError naming a field that cannot be computed
 */
export function statedByTimm(config: Config): Stated {
  const [mean, std] = [channelsField(config, "mean"), channelsField(config, "std")];
  const size = inputSide(config);
  const share = positiveField(config, "crop_pct", 0.875);
  const filter = filterField(config, "interpolation") ?? "bicubic";
  const mode = config.given("crop_mode") ?? "center";
  if (mode !== "center" && mode !== "squash") throw refusal(config, "crop_mode", "center and squash can be computed");
  if (config.given("crop_border_pixels")) throw refusal(config, "crop_border_pixels", "it is not computed here");
  const space = config.given("input_space") ?? "RGB";
  if (space !== "RGB") throw refusal(config, "input_space", "RGB can be computed");
  const framing = (wanted: number): Framing => {
    const edge = Math.floor(wanted / share);
    const resize =
      mode === "center"
        ? ({ kind: "shortest", edge, filter } as const)
        : ({ kind: "exact", width: edge, height: edge, filter } as const);
    return { size: wanted, resize, crop: "even" };
  };
  return {
    source: config.path,
    ...defined({ size }),
    framing,
    ...(mean && std && { normalization: { mean, std: checkedDeviations(config, std) } }),
  };
}

/** `input_size` is [channels, height, width]. */
function inputSide(config: Config): number | undefined {
  const value = config.given("input_size");
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.length === 3 && value[0] === 3 && value[1] === value[2] && value[1] > 0)
    return value[1] as number;
  throw refusal(config, "input_size", "three channels of a square are needed");
}

/**
 * The fields of `pretrained_cfg` that say so.
 *
 * @throws UsageError when timm has no words for it
 */
export function timmPreprocessing(framing: Framing, { mean, std }: Normalization): object {
  const { size, resize } = framing;
  const cut = resize.kind === "exact" && resize.width === resize.height ? resize.width : undefined;
  const edge = resize.kind === "shortest" ? resize.edge : cut;
  if (edge === undefined || resize.kind === "none" || (framing.crop === "none" && cut !== size))
    throw new UsageError(`timm's config.json has no words for how its images are framed: ${describeFraming(framing)}.`);
  return {
    input_size: [3, size, size],
    interpolation: resize.filter,
    crop_pct: shareOf(size, edge),
    ...(resize.kind === "exact" && { crop_mode: "squash" }),
    mean,
    std,
  };
}

/** The shortest `crop_pct` from which timm computes this edge. */
function shareOf(size: number, edge: number): number {
  for (let digits = 0; digits < 16; digits++) {
    const unit = 10 ** digits;
    const shares = [Math.round((size / edge) * unit) / unit, Math.floor((size / edge) * unit) / unit];
    const share = shares.find((value) => value > 0 && Math.floor(size / value) === edge);
    if (share !== undefined) return share;
  }
  return size / (edge + 0.5);
}
