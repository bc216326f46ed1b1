export { alignment, nearestTexts } from "./alignment.ts";
export { type Interpreted, interpret } from "./interpret.ts";
export type { View } from "./interpret-encoder.ts";
export type { InterpretOptions, InterpretProgress } from "./options.ts";
export { gini } from "./saliency.ts";
export { KeptInterpretation } from "./saved-interpretation.ts";
export { type Similarity, similarityOf } from "./similarity.ts";
export { type SynthesisOptions, type SynthesizedImages, synthesize } from "./synthesis.ts";
export { manyTemplates } from "./templates.ts";
