import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { describeFraming, type Framing } from "../../framing.ts";
import type { Normalization } from "../encoder.ts";
import type { Config } from "../layouts/config.ts";
import { channelsField, checkedDeviations, filterField, refusal, sizeField } from "./fields.ts";
import type { Stated } from "./stated.ts";

/**
 * Reads open_clip_config.json: `preprocess_cfg`, and the image size of the vision tower. Fields that are left out are
 * open_clip's defaults (`image_transform`).
 *
 * @throws UsageError naming a field that cannot be computed
 */
export function statedByOpenClip(config: Config): Stated {
  const given = config.object("preprocess_cfg");
  const mode = given.given("resize_mode") ?? "shortest";
  if (mode !== "shortest" && mode !== "squash")
    throw refusal(given, "resize_mode", "shortest and squash can be computed");
  if ((given.given("mode") ?? "RGB") !== "RGB") throw refusal(given, "mode", "RGB can be computed");
  const filter = filterField(given, "interpolation") ?? "bicubic";
  const size = sideOf(given, "size") ?? sideOf(config.object("model_cfg").object("vision_cfg"), "image_size");
  const [mean, std] = [channelsField(given, "mean"), channelsField(given, "std")];
  const framing = (wanted: number): Framing =>
    mode === "squash"
      ? { size: wanted, resize: { kind: "exact", width: wanted, height: wanted, filter }, crop: "none" }
      : { size: wanted, resize: { kind: "shortest", edge: wanted, filter }, crop: "even" };
  return {
    source: config.path,
    ...defined({ size }),
    framing,
    ...(mean && std && { normalization: { mean, std: checkedDeviations(given, std) } }),
  };
}

function sideOf(config: Config, name: string): number | undefined {
  const size = sizeField(config, name);
  if (!size || size.kind === "number") return size?.pixels;
  if (size.kind === "sides" && size.height === size.width) return size.height;
  throw refusal(config, name, "a square of so many pixels is needed");
}

/**
 * `preprocess_cfg` of a framing.
 *
 * @throws UsageError when open_clip has no words for it
 */
export function openClipPreprocessing(framing: Framing, { mean, std }: Normalization): object {
  const { size, resize, crop } = framing;
  const squashes = resize.kind === "exact" && resize.width === size && resize.height === size;
  const plain = squashes || (resize.kind === "shortest" && resize.edge === size && crop !== "none");
  const filter = resize.kind === "none" ? undefined : resize.filter;
  if (!plain || !(filter === "bicubic" || filter === "bilinear"))
    throw new UsageError(
      `open_clip_config.json has no words for how its images are framed: ${describeFraming(framing)}.`,
    );
  return { mean, std, interpolation: filter, resize_mode: squashes ? "squash" : "shortest" };
}
