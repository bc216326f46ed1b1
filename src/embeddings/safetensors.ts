import { defined } from "../defined.ts";
import type { SavedFile } from "../files.ts";
import { readSafetensors, safetensorsPieces } from "../safetensors.ts";
import { type EmbeddingTable, readIdentity, readNames } from "./table.ts";

/*
 * One tensor, `embeddings` [names, size]; `names` and `encoder` in the metadata, as JSON.
 */

export function safetensorsFiles(path: string, table: EmbeddingTable): readonly SavedFile[] {
  const { names, size, values, encoder } = table;
  const tensor = { dtype: "float32", shape: [names.length, size], data: values } as const;
  const metadata = defined({ names: JSON.stringify(names), encoder: encoder && JSON.stringify(encoder) });
  return [[path, safetensorsPieces(new Map([["embeddings", tensor]]), new Map(Object.entries(metadata)))]];
}

/** @throws Error when it holds no such tensor, or no names */
export function readSafetensorsTable(path: string): EmbeddingTable {
  const { tensors, metadata } = readSafetensors(path, { widenHalf: true });
  const tensor = tensors.get("embeddings");
  const [count, size, ...more] = tensor?.shape ?? [];
  if (tensor?.dtype !== "float32" || count === undefined || size === undefined || more.length > 0)
    throw new Error('it must hold one tensor "embeddings" of float32 numbers [images, size]');
  const json = (key: string): unknown => JSON.parse(metadata.get(key) ?? "null");
  return {
    names: readNames(json("names"), count),
    ...{ size, values: tensor.data as Float32Array },
    ...defined({ encoder: readIdentity(json("encoder")) }),
  };
}
