import { UsageError } from "../../errors.ts";
import { Graph, GraphError } from "../../graph/index.ts";
import { OnnxError } from "../../onnx/index.ts";
import { elementCount } from "../../tensor/index.ts";
import { type EmbeddingOutput, listed } from "./embedding-output.ts";
import type { OnnxParts } from "./encoder.ts";
import { placeValue } from "./rows.ts";

type Source = Pick<OnnxParts, "file" | "input" | "imageSize">;

/**
 * The found output without a head that scores every place of the image or every token instead of one row.
 *
 * @throws UsageError when the embedding was told by such a head
 */
export function onceAnImage(found: EmbeddingOutput, source: Source): EmbeddingOutput {
  const { name, head, logits, note } = found;
  if (!head || logits === undefined) return found;
  const [classes] = head.weight.shape as [number];
  const shape = shapeOf(logits, source);
  if (!shape || elementCount(shape) === classes) return found;
  const { outputs } = source.file.model.graph;
  if (outputs.some((output) => output.name === name)) return { name };
  if (note !== undefined) return { name: logits };
  throw new UsageError(
    `Its output ${logits} is [${shape.join(", ")}] for one image: scores of ${classes} classes, but not one row of them. ` +
      `Say --output NAME (in code, output) with the value that is the embedding; its outputs are ${listed(outputs)}.`,
  );
}

/** The shape of a value for one image; undefined where it cannot be told. */
function shapeOf(output: string, { file, input, imageSize }: Source): readonly number[] | undefined {
  try {
    const pixels = new Graph().input("the image", "float32", [1, 3, imageSize, imageSize]);
    return placeValue({ file, input, output }, pixels).shape;
  } catch (cause) {
    if (cause instanceof GraphError || cause instanceof OnnxError || cause instanceof UsageError) return undefined;
    throw cause;
  }
}

/** Advice for when accuracy is requested and no classifier was recognised. */
export function headAdvice({ model }: OnnxParts["file"]): string {
  return (
    `Its file makes ${listed(model.graph.outputs)}, none of them by a linear layer over what was taken for the embedding: ` +
    "say --output NAME (in code, output) with the value that the classifier's last linear layer reads."
  );
}
