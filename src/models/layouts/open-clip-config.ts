import { UsageError } from "../../errors.ts";
import { ConvNextEncoder } from "../architectures/convnext.ts";
import type { Activation } from "../architectures/transformer.ts";
import type { VitEncoder } from "../architectures/vit.ts";
import type { Encoder } from "../encoder.ts";
import { openClipPreprocessing } from "../preprocessing/index.ts";
import { ClipText, type ClipTextArchitecture } from "../text/clip-text.ts";
import { type Config, mlpRatio } from "./config.ts";

/*
 * open_clip_config.json: `model_cfg` with `vision_cfg` and `text_cfg`, as in open_clip's model_configs, and
 * `preprocess_cfg`. Defaults are those of open_clip's CLIPVisionCfg and CLIPTextCfg.
 */

export const openClipConfigName = "open_clip_config.json";

/**
 * QuickGELU or GELU: both towers are trained with one of the two and embed badly with the other, and their tensors look
 * the same.
 *
 * @throws UsageError when neither the caller nor a config says which
 */
export function openClipActivation(config: Config | undefined, given: Activation | undefined): Activation {
  if (given) return given;
  if (config) return config.object("model_cfg").flag("quick_gelu") ? "quickGelu" : "gelu";
  throw new UsageError(
    `Its tensors do not say whether they were trained with QuickGELU or GELU: put ${openClipConfigName} beside them, ` +
      'or say --activation quick_gelu or --activation gelu (in code, activation: "quickGelu" or "gelu"). ' +
      "OpenAI's own weights use quick_gelu, LAION's gelu.",
  );
}

/**
 * A tower's layer norm epsilon.
 *
 * @param tower `vision_cfg` or `text_cfg`
 * @param pooling what the tower's `pool_type` must be
 * @throws UsageError when the tower computes something else from the same tensors
 */
export function checkedEpsilon(tower: Config, pooling: string): number {
  const pool = tower.text("pool_type") ?? pooling;
  if (pool !== pooling || tower.flag("global_average_pool")) {
    throw new UsageError(`${openClipConfigName}: a tower pools its tokens by ${pool}; only ${pooling} is supported.`);
  }
  if (tower.flag("no_causal_mask")) {
    throw new UsageError(`${openClipConfigName}: no_causal_mask is set; only causal text towers are supported.`);
  }
  const approximate = tower.object("act_kwargs").text("approximate");
  if (approximate !== undefined && approximate !== "none") {
    throw new UsageError(
      `${openClipConfigName}: act_kwargs.approximate is ${approximate}; only exact GELU is supported.`,
    );
  }
  return tower.object("norm_kwargs").number("eps", 1e-5);
}

/** `open_clip_config.json` of an encoder. */
export function openClipConfig(encoder: Encoder): object {
  const { embeddingSize, imageSize, framing, normalization, text } = encoder;
  const tower = text instanceof ClipText ? text.architecture : undefined;
  const quick = activationOf(encoder, tower) === "quickGelu";
  return {
    model_cfg: {
      embed_dim: embeddingSize,
      ...(quick && { quick_gelu: true }),
      vision_cfg: {
        image_size: imageSize,
        ...(encoder instanceof ConvNextEncoder ? convNextConfig(encoder) : vitConfig(encoder as VitEncoder)),
      },
      ...(tower && { text_cfg: textConfig(tower) }),
    },
    preprocess_cfg: openClipPreprocessing(framing, normalization),
  };
}

function activationOf(encoder: Encoder, text: ClipTextArchitecture | undefined): Activation {
  return encoder instanceof ConvNextEncoder
    ? (text?.activation ?? "gelu")
    : (encoder as VitEncoder).architecture.activation;
}

function vitConfig({ architecture: { width, depth, heads, hidden, patch, normEpsilon } }: VitEncoder): object {
  return {
    layers: depth,
    width,
    head_width: width / heads,
    patch_size: patch,
    ...mlpAndNorm({ width, hidden, normEpsilon }),
  };
}

function textConfig({ contextLength, vocabularySize, width, heads, depth, ...rest }: ClipTextArchitecture): object {
  return {
    context_length: contextLength,
    vocab_size: vocabularySize,
    width,
    heads,
    layers: depth,
    ...mlpAndNorm({ width, ...rest }),
  };
}

function mlpAndNorm(tower: { readonly width: number; readonly hidden: number; readonly normEpsilon: number }): object {
  const { width, hidden, normEpsilon } = tower;
  return {
    ...(hidden !== 4 * width && { mlp_ratio: mlpRatio(width, hidden) }),
    ...(normEpsilon !== 1e-5 && { norm_kwargs: { eps: normEpsilon } }),
  };
}

/** timm's ConvNeXts by their first width and the blocks of the third stage. */
const timmNames: Readonly<Record<string, string>> = {
  "96 9": "convnext_tiny",
  "96 27": "convnext_small",
  "128 27": "convnext_base",
  "192 27": "convnext_large",
  "256 27": "convnext_xlarge",
  "384 30": "convnext_xxlarge",
};

function convNextConfig({ architecture: { widths, depths } }: ConvNextEncoder): object {
  const name = timmNames[`${widths[0]} ${depths[2]}`];
  return {
    ...(name && { timm_model_name: name }),
    timm_model_pretrained: false,
    timm_pool: "",
    timm_proj: "linear",
  };
}
