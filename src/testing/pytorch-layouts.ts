import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LayoutOptions } from "../models/layouts/layout.ts";
import { clipTokenizer } from "../models/text/tokenizer.ts";
import { encodeSafetensors } from "../safetensors.ts";
import { elementCount, type Tensor } from "../tensor/tensor.ts";

/**
 * A small encoder in a layout that people have, and what PyTorch 2.6 makes of it in float64. The reference models were
 * written from the papers' definitions, with PyTorch's own modules (`MultiheadAttention`, `LayerNorm`, `Conv2d`,
 * `interpolate`, autograd), and their state dicts gave the names and shapes.
 */
export interface LayoutCase {
  readonly title: string;
  /** Name of the weights' file. */
  readonly weights: string;
  /** Settings beside it, by name. */
  readonly files: Readonly<Record<string, object>>;
  /** Facts that its files do not state. */
  readonly options?: LayoutOptions;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly imageSize: number;
  /** Embeddings of two images, `pixelsOf(imageSize)`. */
  readonly image: readonly number[];
  /** Logits of the head. */
  readonly logits?: readonly number[];
  /** Every `gradientStride`-th element of the derivative of the squared embeddings' sum with respect to the pixels. */
  readonly gradient: readonly number[];
  readonly gradientStride: number;
  /** Embeddings of `texts`. */
  readonly text?: readonly number[];
}

export const layoutCases = JSON.parse(
  readFileSync(new URL("./pytorch-layouts.json", import.meta.url), "utf8"),
) as readonly LayoutCase[];

/** The reference read their ids with `tokenizer`, which has no merges. */
export const texts = ["a red dog", "b", "seventeen words are far too many for it"];
export const tokenizer = clipTokenizer([], 16);

/** Numbers in [-1, 1) that any language can make: a linear congruential generator. */
function uniform(index: number, count: number): Float64Array {
  let state = Math.imul(index + 1, 2654435761) >>> 0;
  return new Float64Array(count).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Two images [2, 3, size, size] in [0, 1). */
export function pixelsOf(size: number): Float32Array {
  return Float32Array.from(uniform(1000, 2 * 3 * size * size), (u) => (u + 1) / 2);
}

/** The weights: the i-th tensor holds the generator's i-th sequence, around 1 where it scales and around 0 elsewhere. */
export function tensorsOf({ shapes }: Pick<LayoutCase, "shapes">): Map<string, Tensor<"float32">> {
  return new Map(
    Object.entries(shapes).map(([name, shape], i) => {
      const scales = shape.length === 1 && /(weight|gamma|lambda1)$/.test(name);
      const data = Float32Array.from(uniform(i, elementCount(shape)), (u) => (scales ? 1 + 0.3 * u : 0.4 * u));
      return [name, { dtype: "float32", shape, data }];
    }),
  );
}

/** Writes an encoder's files, those of the tokeniser among them where it has a text tower. */
export function writeCase(
  folder: string,
  { weights, files, text }: Pick<LayoutCase, "weights" | "files" | "text">,
  tensors: ReadonlyMap<string, Tensor>,
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, weights), encodeSafetensors(tensors));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), JSON.stringify(content));
  if (text) for (const [name, content] of tokenizer.files) writeFileSync(join(folder, name), content);
}
