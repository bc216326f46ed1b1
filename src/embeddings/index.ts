export { checkEmbeddingsPath, readEmbeddings, writeEmbeddings } from "./files.ts";
export { type Neighbour, nearestIn } from "./nearest.ts";
export type { EmbeddingTable, EncoderIdentity } from "./table.ts";
