/** Embeddings with a name each: of images by their file names, of texts by the texts. */
export interface EmbeddingTable {
  readonly names: readonly string[];
  /** Numbers per embedding. */
  readonly size: number;
  /** [names, size], row-major, as the encoder gives them: not normalised. */
  readonly values: Float32Array;
  /** Absent where the file does not say. */
  readonly encoder?: EncoderIdentity;
}

/** The encoder that made embeddings. */
export interface EncoderIdentity {
  readonly name: string;
  /** Changes with the encoder's weights. */
  readonly sha256: string;
}

/** The embedding in row `i`, on the table's memory. */
export function embeddingAt({ values, size }: EmbeddingTable, i: number): Float32Array {
  return values.subarray(i * size, (i + 1) * size);
}

/** Rows as they are read, joined: all of one length. @throws Error naming the row that differs */
export function joinRows(rows: readonly ArrayLike<number>[]): Pick<EmbeddingTable, "size" | "values"> {
  const size = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * size);
  for (const [i, row] of rows.entries()) {
    if (row.length !== size)
      throw new Error(`embedding ${i} has ${row.length} numbers, and those before it have ${size}`);
    values.set(row, i * size);
  }
  return { size, values };
}

/** The encoder that a file names. */
export function readIdentity(value: unknown): EncoderIdentity | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { name, sha256 } = value as Partial<Record<keyof EncoderIdentity, unknown>>;
  return typeof name === "string" && typeof sha256 === "string" ? { name, sha256 } : undefined;
}

/** Names as a file holds them. @throws Error when they are none, or not one per embedding */
export function readNames(value: unknown, count: number): readonly string[] {
  if (!Array.isArray(value) || !value.every((name) => typeof name === "string"))
    throw new Error("its names are no list of texts");
  if (value.length === count) return value;
  throw new Error(`it has ${count} embeddings and ${value.length} names`);
}
