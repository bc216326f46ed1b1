import { defined } from "../defined.ts";
import { readBytes, type SavedFile } from "../files.ts";
import { type EmbeddingTable, embeddingAt, joinRows, readIdentity, readNames } from "./table.ts";

/*
 * Two columns, `name` (text) and `embedding` (list of float32); the encoder in the file's metadata under `lore-vision`.
 */

const metadataKey = "lore-vision";

export async function parquetFiles(path: string, table: EmbeddingTable): Promise<readonly SavedFile[]> {
  // On first use: most commands write none.
  const { parquetWriteBuffer } = await import("hyparquet-writer");
  const { names, encoder } = table;
  const buffer = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: 2 },
      { name: "name", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
      { name: "embedding", num_children: 1, converted_type: "LIST", repetition_type: "REQUIRED" },
      { name: "list", num_children: 1, repetition_type: "REPEATED" },
      { name: "element", type: "FLOAT", repetition_type: "REQUIRED" },
    ],
    columnData: [
      { name: "name", data: [...names] },
      { name: "embedding", data: names.map((_, i) => Array.from(embeddingAt(table, i))), statistics: false },
    ],
    ...(encoder && { kvMetadata: [{ key: metadataKey, value: JSON.stringify({ encoder }) }] }),
  });
  return [[path, new Uint8Array(buffer)]];
}

/** @throws Error when it has no such columns */
export async function readParquet(path: string): Promise<EmbeddingTable> {
  const [{ parquetMetadata, parquetReadObjects }, { compressors }] = await Promise.all([
    import("hyparquet"),
    import("hyparquet-compressors"),
  ]);
  const bytes = readBytes(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const metadata = parquetMetadata(file);
  const columns = metadata.schema.map(({ name }) => name);
  if (!columns.includes("name") || !columns.includes("embedding"))
    throw new Error(`it has no columns "name" and "embedding", but ${columns.slice(1).join(", ")}`);
  const rows = await parquetReadObjects({ file, metadata, columns: ["name", "embedding"], compressors });
  const embeddings = rows.map(({ embedding }) => embedding as ArrayLike<number>);
  const said = metadata.key_value_metadata?.find(({ key }) => key === metadataKey)?.value;
  const { encoder } = JSON.parse(said ?? "{}") as { readonly encoder?: unknown };
  return {
    names: readNames(
      rows.map(({ name }) => name as unknown),
      rows.length,
    ),
    ...joinRows(embeddings),
    ...defined({ encoder: readIdentity(encoder) }),
  };
}
