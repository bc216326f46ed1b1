import { GraphError } from "../../graph/errors.ts";
import type { Value } from "../../graph/index.ts";
import { type Placement, place } from "../../importing/place.ts";
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
export function placeRows({ file, input, output }: Source, images: Value, weight: Placement["weight"]): Value {
  const fed = input.channels === "first" ? images : images.graph.transpose(images, [0, 2, 3, 1]);
  const placed = place(file.model, images.graph, {
    inputs: new Map([[input.name, fed]]),
    wanted: [output],
    ...(weight && { weight }),
  });
  const rows = embeddingRows(placed.get(output)!);
  if (rows.shape[0] === images.shape[0]) return rows;
  throw new GraphError(`${output} has ${rows.shape[0]} rows for ${images.shape[0]} images.`);
}
