import { defined } from "../../defined.ts";
import type { Value } from "../../graph/index.ts";
import { GraphError } from "../../graph/index.ts";
import { type Placement, place } from "../../importing/index.ts";
import type { OnnxModel } from "../../onnx/index.ts";
import { embeddingRows } from "./embedding-output.ts";
import type { ImageInput } from "./image-input.ts";

interface Source {
  readonly file: { readonly model: OnnxModel };
  readonly input: ImageInput;
  readonly output: string;
}

/**
 * The file's graph on some images.
 *
 * @param images normalised, [N, 3, S, S]
 * @returns embeddings, [N, D]
 * @throws GraphError when the graph does not take images of that number or size
 */
export function placeRows(source: Source, images: Value, weight: Placement["weight"]): Value {
  const rows = embeddingRows(placeValue(source, images, weight));
  if (rows.shape[0] === images.shape[0]) return rows;
  throw new GraphError(`${source.output} has ${rows.shape[0]} rows for ${images.shape[0]} images.`);
}

/** The same, as the file shapes it. */
export function placeValue({ file, input, output }: Source, images: Value, weight?: Placement["weight"]): Value {
  const fed = input.channels === "first" ? images : images.graph.transpose(images, [0, 2, 3, 1]);
  const placed = place(file.model, images.graph, {
    inputs: new Map([[input.name, fed]]),
    wanted: [output],
    ...defined({ weight }),
  });
  return placed.get(output)!;
}
