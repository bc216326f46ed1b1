import { formatEpsilon } from "../../epsilon.ts";
import { counted } from "../../words.ts";
import type { Encoder } from "../encoder.ts";
import type { Layout } from "../layouts/layout.ts";
import { usage } from "./card-usage.ts";

/** Facts about an encoder beyond its files. The card makes no claim about absent ones. */
export interface CardFacts {
  readonly training?: TrainingFacts;
  readonly evaluations?: readonly MeasuredRobustness[];
  /** The only format that the weights are saved in. */
  readonly format?: WeightFormat;
}

/** File formats of weights. */
export type WeightFormat = "safetensors" | "onnx";

/** The settings that an encoder was trained with. */
export interface TrainingFacts {
  /** The encoder that training started from; its hub id where it has one. */
  readonly encoder: string;
  readonly data: string;
  readonly images: number;
  readonly method: string;
  /** Norm and size of the perturbations, in pixel units, and steps of the inner attack. */
  readonly norm: string;
  readonly epsilon: number;
  readonly attackSteps: number;
  /** How they differ from fixed steps at full resolution from a random start, in words. */
  readonly attackDetails?: string;
  /** K: optimiser steps on the same batch. */
  readonly stepsPerBatch: number;
  /** The constraint on clean images, in words. */
  readonly constraint?: string;
  /** Position of the saved weights between the original and the trained ones, and the requested share of behaviour. */
  readonly blend?: { readonly weight: number; readonly keep: number };
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly seed: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** Accuracies, as shares from 0 to 1, that `evaluate` measured. */
export interface MeasuredRobustness {
  readonly dataset: string;
  readonly images: number;
  readonly classes: number;
  readonly clean: number;
  readonly attacks: readonly {
    readonly attack: string;
    readonly norm: string;
    readonly epsilon: number;
    readonly accuracy: number;
  }[];
  /** Reasons to doubt these numbers. */
  readonly warnings?: readonly string[];
}

/** The model card (`README.md`) of a saved encoder, with the front matter that hubs read. */
export function modelCard(encoder: Encoder, { training, evaluations = [], format }: CardFacts): string {
  const { name, imageSize, embeddingSize } = encoder;
  const kind = encoder.text ? "CLIP: a vision encoder with its text encoder" : "A vision encoder";
  return [
    frontMatter(encoder, training),
    `# ${name}`,
    `${kind}, saved by lore-vision. Images of ${imageSize} x ${imageSize} pixels become ${embeddingSize} numbers.` +
      (training ? " It was fine-tuned so that small changes of an image's pixels change its embedding little." : ""),
    `Its license is that of ${training ? `what it was made from, \`${training.encoder}\`` : "the encoder it was made from"}.`,
    "## Training",
    training ? trainingTable(training) : "This card was written without the settings of a training run.",
    "## Robustness",
    evaluations.length > 0 ? robustnessTable(evaluations) : notMeasured(encoder),
    "## Use",
    usage(encoder, format),
    "",
  ].join("\n\n");
}

const libraries: Readonly<Record<Layout, string>> = {
  timm: "timm",
  "transformers-clip": "transformers",
  "transformers-dinov2": "transformers",
  "open-clip": "open_clip",
  "open-clip-visual": "transformers",
  onnx: "onnx",
};

function frontMatter({ layout, text }: Encoder, training: TrainingFacts | undefined): string {
  return [
    "---",
    `library_name: ${libraries[layout]}`,
    `pipeline_tag: ${text ? "zero-shot-image-classification" : "image-feature-extraction"}`,
    ...hubId(training?.encoder).map((id) => `base_model: ${JSON.stringify(id)}`),
    "tags:",
    ...["lore-vision", "adversarial-robustness", "transformers.js", "onnx"].map((tag) => `- ${tag}`),
    "---",
  ].join("\n");
}

/** The repository's name without a revision; nothing where the encoder is known by another name, a dead link on a hub. */
function hubId(encoder = ""): readonly string[] {
  const id = /^(?<id>\w[\w.-]*\/\w[\w.-]*)(?:@|$)/.exec(encoder)?.groups?.id;
  return id === undefined ? [] : [id];
}

function adversarialImages({ norm, epsilon, attackSteps, attackDetails }: TrainingFacts): string {
  const attack = `${norm}, epsilon ${formatEpsilon(epsilon)}, ${attackSteps} steps of PGD`;
  return attackDetails === undefined ? attack : `${attack}: ${attackDetails}`;
}

function trainingTable(facts: TrainingFacts): string {
  const { images, epochs, batch, versions } = facts;
  const rows: readonly (readonly [setting: string, value: string | number])[] = [
    ["started from", facts.encoder],
    ["method", facts.method],
    ["adversarial images", adversarialImages(facts)],
    ["optimiser steps a batch (K)", facts.stepsPerBatch],
    ...(facts.constraint === undefined ? [] : [["clean images", facts.constraint] as const]),
    ...(facts.blend === undefined ? [] : [["blend", describeBlend(facts.blend)] as const]),
    ["data", `${facts.data}, ${images} images`],
    ["epochs", epochs],
    ["batch", batch],
    ["learning rate", facts.learningRate],
    ["weight decay", facts.weightDecay],
    ["seed", facts.seed],
    [
      "versions",
      Object.entries(versions)
        .map((entry) => entry.join(" "))
        .join(", "),
    ],
  ];
  return table(
    ["setting", "value"],
    rows.map((row) => row.map(String)),
  );
}

function describeBlend({ weight, keep }: NonNullable<TrainingFacts["blend"]>): string {
  return `${weight.toPrecision(2)} of the way from the original's weights to the trained ones, as far as keeps ${100 * keep} % of its behaviour on held-out clean images`;
}

function robustnessTable(evaluations: readonly MeasuredRobustness[]): string {
  const rows = evaluations.flatMap(({ dataset, images, classes, clean, attacks }) =>
    [
      ["none", "", "", percent(clean)],
      ...attacks.map(({ attack, norm, epsilon, accuracy }) => [
        attack,
        norm,
        formatEpsilon(epsilon),
        percent(accuracy),
      ]),
    ].map((cells) => [`${dataset}, ${counted(images, "image")}, ${counted(classes, "class", "classes")}`, ...cells]),
  );
  const warnings = evaluations.flatMap(({ dataset, warnings = [] }) => warnings.map((text) => `- ${dataset}: ${text}`));
  return [
    table(["data", "attack", "norm", "epsilon", "accuracy"], rows),
    "An accuracy under one attack is an upper bound: other attacks may find more.",
    ...(warnings.length > 0 ? [`Warnings:\n\n${warnings.join("\n")}`] : []),
  ].join("\n\n");
}

function notMeasured({ head, text }: Encoder): string {
  if (!head && !text) return "The robustness of this encoder has not been measured.";
  return [
    "The robustness of this encoder has not been measured. To measure it:",
    "```sh\nlore evaluate --encoder path/to/this/folder --data path/to/labelled/images --attack lore --epsilon 2/255\n```",
  ].join("\n\n");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(header), line(header.map(() => "---")), ...rows.map(line)].join("\n");
}
