import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import type { OnnxModel, ValueInfo } from "../../onnx/index.ts";

/** The input of a model that takes the image. */
export interface ImageInput {
  readonly name: string;
  /** Whether channels come before the rows and columns or after them (TensorFlow). */
  readonly channels: "first" | "last";
  /** Side of the square image in pixels, where the file fixes it. */
  readonly side?: number;
  /** Images per run, where the file fixes that. */
  readonly batch?: number;
}

/** Names of image inputs. */
const usualNames = ["pixel_values", "images", "image", "input", "x"];

/**
 * Finds the input that takes images: of four axes, three channels among them.
 *
 * @throws UsageError when there is none, it cannot be told from others, or it cannot be differentiated
 */
export function imageInput({ graph: { inputs, initializers } }: OnnxModel): ImageInput {
  const fed = inputs.filter(({ name }) => !initializers.has(name));
  const images = fed.filter(({ shape, unranked }) => unranked || (shape.length === 4 && channelsOf(shape)));
  const chosen = images.find(({ name }) => usualNames.includes(name)) ?? (images.length === 1 ? images[0] : undefined);
  if (!chosen)
    throw new UsageError(
      `None of its inputs (${list(fed)}) is seen to take images: one float32 input [batch, 3, height, width] is needed, ` +
        "called pixel_values where there are several.",
    );
  if (!chosen.dtype.startsWith("float"))
    throw new UsageError(
      `Its input ${chosen.name} is ${chosen.dtype}: an attack needs derivatives, and so pixels as floating-point numbers.`,
    );
  const channels = (chosen.unranked ? undefined : channelsOf(chosen.shape)) ?? "first";
  const [height, width] = channels === "first" ? chosen.shape.slice(2) : chosen.shape.slice(1, 3);
  const [batch] = chosen.shape;
  if (typeof height === "number" && typeof width === "number" && height !== width)
    throw new UsageError(
      `Its input ${chosen.name} takes images of ${width} x ${height} pixels; only squares can be used.`,
    );
  const side = [height, width].find((size) => typeof size === "number");
  return {
    ...{ name: chosen.name, channels },
    ...defined({ side }),
    ...(typeof batch === "number" && batch > 0 && { batch }),
  };
}

function channelsOf(shape: ValueInfo["shape"]): ImageInput["channels"] | undefined {
  if (shape[1] === 3) return "first";
  if (shape[3] === 3) return "last";
  return typeof shape[1] === "string" ? "first" : undefined;
}

function list(infos: readonly ValueInfo[]): string {
  return infos.map(({ name, dtype, shape }) => `${name}: ${dtype}[${shape.join(", ")}]`).join("; ") || "none";
}
