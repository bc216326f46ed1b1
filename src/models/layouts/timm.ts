import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { describeType, type Tensor } from "../../tensor/index.ts";
import { type VitArchitecture, VitEncoder } from "../architectures/vit.ts";
import type { LinearClassifier } from "../classifier.ts";
import type { Parameters } from "../encoder.ts";
import { normalizations } from "../normalizations.ts";
import { checkSize, timmPreprocessing } from "../preprocessing/index.ts";
import type { Config } from "./config.ts";
import { countAfter, floatOfRank } from "./fields.ts";
import type { LayoutReader } from "./layout.ts";

/** timm's transformers have heads of 64 unless their config says otherwise; weights alone do not tell. */
const headSize = 64;

/** The head, and the mask token, which only DINOv2's own training uses. */
const notOfTheEncoder: ReadonlySet<string> = new Set(["head.weight", "head.bias", "mask_token"]);

interface TimmVit {
  readonly architecture: VitArchitecture;
  /** The image size that the position embeddings were made for. */
  readonly imageSize: number;
  readonly parameters: Parameters;
  readonly head?: LinearClassifier;
}

/** timm's names: ViT, DeiT and DINOv2, whose own files have the same; a fixed head where there is one. */
export const timmLayout: LayoutReader = {
  recognises: (tensors) => tensors.has("patch_embed.proj.weight") || tensors.has("blocks.0.attn.qkv.weight"),
  read: ({ name, tensors, config, stated: statedBy }, options) => {
    const vit = readTimmVit(tensors, config);
    const stated = statedBy("timm", "transformers");
    const imageSize = options.imageSize ?? vit.imageSize;
    const encoder = new VitEncoder({
      name: config.text("architecture") ?? name,
      architecture: vit.architecture,
      imageSize,
      ...(stated.framing && { framing: stated.framing(imageSize) }),
      normalization: stated.normalization ?? normalizations.imagenet,
      parameters: vit.parameters,
      ...defined({ head: vit.head }),
    });
    checkSize(stated, vit.imageSize, options.imageSize);
    // Reject now, not after training, an encoder that cannot be saved.
    timmPreprocessing(encoder.framing, encoder.normalization);
    return encoder;
  },
};

/**
 * Reads the architecture off the tensors' shapes and sorts encoder from head.
 *
 * @throws UsageError naming a tensor that is missing, of the wrong type, or unknown to this architecture
 */
function readTimmVit(tensors: ReadonlyMap<string, Tensor>, config: Config): TimmVit {
  const projection = floatOfRank(tensors, "patch_embed.proj.weight", 4);
  const [width, , patch] = projection.shape as readonly [number, number, number];
  const positions = floatOfRank(tensors, "pos_embed", 3);
  const depth = countAfter(tensors, "blocks.");
  const model = config.object("model_args");
  const heads = model.has("num_heads") ? model.count("num_heads") : width / headSize;
  if (!Number.isInteger(heads)) {
    throw new UsageError(
      `Width ${width} is no multiple of ${headSize}, timm's usual head size: state model_args.num_heads in config.json.`,
    );
  }
  const parameters = new Map<string, Tensor<"float32">>();
  for (const name of tensors.keys()) {
    if (notOfTheEncoder.has(name)) continue;
    parameters.set(name, floatOfRank(tensors, name));
  }
  const unknown = [...parameters.keys()].find(
    (name) =>
      !/^(cls_token|pos_embed|(patch_embed\.proj|blocks\.\d+\.(norm[12]|attn\.(qkv|proj)|mlp\.fc[12])|norm)\.(weight|bias)|blocks\.\d+\.ls[12]\.gamma)$/.test(
        name,
      ),
  );
  if (unknown)
    throw new UsageError(`The tensor ${unknown} belongs to no plain vision transformer that this loader knows.`);
  const head = tensors.has("head.weight") && {
    kind: "linear" as const,
    weight: floatOfRank(tensors, "head.weight", 2),
    bias: floatOfRank(tensors, "head.bias", 1),
  };
  if (head && (head.weight.shape[1] !== width || head.bias.shape[0] !== head.weight.shape[0])) {
    const [weight, bias] = [head.weight, head.bias].map(({ shape }) => describeType("float32", shape));
    throw new UsageError(
      `head.weight is ${weight} and head.bias ${bias}: they are no classifier of embeddings of ${width}.`,
    );
  }
  return {
    architecture: { patch, width, depth, heads, layerScale: tensors.has("blocks.0.ls1.gamma") },
    imageSize: Math.round(Math.sqrt(positions.shape[1]! - 1)) * patch,
    parameters,
    ...(head && { head }),
  };
}

/** timm's `config.json` for an encoder. */
export function timmConfig({ name, architecture, imageSize, head, framing, normalization }: VitEncoder): object {
  const { patch, width, depth, heads, layerScale } = architecture;
  return {
    architecture: name,
    num_classes: head?.weight.shape[0] ?? 0,
    num_features: width,
    global_pool: "token",
    model_args: {
      img_size: imageSize,
      patch_size: patch,
      embed_dim: width,
      depth,
      num_heads: heads,
      ...(layerScale && { init_values: 1 }),
    },
    pretrained_cfg: {
      ...timmPreprocessing(framing, normalization),
      num_classes: head?.weight.shape[0] ?? 0,
    },
  };
}
