import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import { usualFraming } from "../../framing.ts";
import { Graph, GraphError } from "../../graph/index.ts";
import { weightNames } from "../../importing/index.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { Normalization } from "../encoder.ts";
import type { Stated } from "../preprocessing/index.ts";
import type { TextTower } from "../text/text-tower.ts";
import { keepsImagesApart, type Placed } from "./apart.ts";
import { embeddingOutput } from "./embedding-output.ts";
import { OnnxEncoder, type OnnxParts } from "./encoder.ts";
import type { OnnxFile } from "./file.ts";
import { headAdvice, onceAnImage } from "./fixed-head.ts";
import { imageInput } from "./image-input.ts";
import { placeRows } from "./rows.ts";

/** Settings that an ONNX file does not, or need not, contain. */
export interface OnnxDetails {
  readonly name: string;
  /** Preprocessing stated in the files beside it. */
  readonly stated?: Stated;
  /** Side of the square image in pixels. Default: what the file fixes, or what is stated. */
  readonly imageSize?: number;
  readonly normalization: Normalization;
  /** The value that is the embedding. Default: see `embeddingOutput`. */
  readonly output?: string;
  /** A text tower lies beside it: its last linear layer is a projection. */
  readonly hasText?: boolean;
  /** Called with a note on the interpretation where the file is ambiguous. */
  readonly onNote?: (note: string) => void;
  /** Whether a weight is trained. Default: all are. */
  readonly isTrained?: (name: string) => boolean;
  /** Paths of files that go along when the encoder is saved. Default: none. */
  readonly settings?: readonly string[];
  /** The text tower for embeddings of this size. */
  readonly text?: (embeddingSize: number) => TextTower | undefined;
}

/**
 * An encoder made of an ONNX file.
 *
 * @throws UsageError when the file has no part that takes images and embeds them, or one that cannot be understood
 */
export function openOnnxEncoder(file: OnnxFile, details: OnnxDetails): OnnxEncoder {
  const { isTrained = () => true } = details;
  const input = imageInput(file.model);
  const { stated = { source: "no file" } } = details;
  const imageSize = sizeOf(input.side, details.imageSize, stated);
  const hints = {
    ...defined({ given: details.output }),
    ...(details.hasText && { hasText: true }),
    isQuantized: file.quantized,
  };
  const found = onceAnImage(embeddingOutput(file.model, hints), { file, input, imageSize });
  if (found.note !== undefined) details.onNote?.(found.note);
  const source = { file, input, output: found.name, imageSize };
  refuseTraining(file.model);
  const oneAtATime = (input.batch ?? 1) === 1 && !takesSeveral(source);
  const { embeddingSize, weights } = attempt(source, oneAtATime ? 1 : 2);
  const parameters = new Map([...weights].filter(([name]) => isTrained(name)));
  if (parameters.size === 0)
    throw new UsageError(`None of its ${weights.size} weights is left to train; they are ${some(weights.keys())}.`);
  const head = found.head?.weight.shape[1] === embeddingSize ? found.head : undefined;
  const text = details.text?.(embeddingSize);
  const { name, normalization, settings = [] } = details;
  return new OnnxEncoder({
    ...source,
    ...{ name, oneAtATime, embeddingSize, normalization, parameters, settings },
    framing: stated.framing?.(imageSize) ?? usualFraming(imageSize),
    ...(head ? { head } : { headAdvice: headAdvice(file) }),
    ...defined({ text }),
  });
}

function sizeOf(side: number | undefined, wanted: number | undefined, { source, size: stated }: Stated): number {
  if (side !== undefined && wanted !== undefined && side !== wanted)
    throw new UsageError(`The file fixes images of ${side} pixels: --image-size ${wanted} cannot be had.`);
  if (wanted === undefined && side !== undefined && stated !== undefined && side !== stated)
    throw new UsageError(
      `The file fixes images of ${side} pixels, and ${source} makes images of ${stated}: mend that, or say --image-size ` +
        `${side} (in code, imageSize), by which the resize scales in proportion.`,
    );
  const size = wanted ?? stated ?? side;
  if (size !== undefined) return size;
  throw new UsageError(
    "Neither the file nor a preprocessor_config.json beside it says how large images are: say --image-size (in code, imageSize).",
  );
}

type Source = Pick<OnnxParts, "file" | "input" | "output" | "imageSize">;

/** Whether the graph takes images together and keeps them apart: a file may fix one in its reshapes, whatever its input says. */
function takesSeveral(source: Source): boolean {
  try {
    return keepsImagesApart(attempt(source, 2), attempt(source, 3));
  } catch {
    return false;
  }
}

/** Rejects batch statistics: an embedding would depend on the other images of the batch. */
function refuseTraining({ graph: { nodes }, opsets }: OnnxModel): void {
  const inTraining = nodes.find((node) => {
    const { op, attributes, outputs } = node;
    const isOld = (opsets.get("") ?? 0) < 14 && outputs.slice(1).some((name) => name !== "");
    return op === "BatchNormalization" && (attributes.training_mode?.value === 1 || isOld);
  });
  if (inTraining)
    throw new UsageError(
      `${inTraining.name || inTraining.outputs[0]} is a BatchNormalization in training mode, by which an embedding depends on ` +
        "the other images of its batch: export the model in evaluation mode (in PyTorch, model.eval() before the export).",
    );
}

/** Builds the graph once to find what the embedding needs. */
function attempt(
  source: Source,
  images: number,
): Placed & { readonly embeddingSize: number; readonly weights: ReadonlyMap<string, Tensor<"float32">> } {
  const graph = new Graph();
  const { imageSize, file } = source;
  const names = weightNames(file.model);
  const weights = new Map<string, Tensor<"float32">>();
  const pixels = graph.input("the image", "float32", [images, 3, imageSize, imageSize]);
  try {
    const rows = placeRows(source, pixels, (name, tensor) => {
      if (!names.has(name) || tensor.dtype !== "float32") return undefined;
      weights.set(name, tensor as Tensor<"float32">);
      return graph.constant(tensor);
    });
    return { images, pixels, rows, embeddingSize: rows.shape[1]!, weights };
  } catch (cause) {
    if (!(cause instanceof GraphError || cause instanceof UsageError)) throw cause;
    throw new UsageError(`With images of ${imageSize} pixels its graph cannot be built: ${cause.message}`, { cause });
  }
}

function some(names: Iterable<string>): string {
  const all = [...names];
  return all.length > 6 ? `${all.slice(0, 6).join(", ")} and ${all.length - 6} more` : all.join(", ");
}
