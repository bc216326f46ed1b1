export { defaultEmbeddingCache, EmbeddingCache, pixelsDigest } from "./cache.ts";
export { type EmbedSourceOptions, embedSource, type SourceEmbeddings } from "./embed-source.ts";
export { nearestOthers, overlap } from "./neighbours.ts";
