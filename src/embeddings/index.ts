export { type EmbedSourceOptions, embedSource, type SourceEmbeddings } from "./embed-source.ts";
