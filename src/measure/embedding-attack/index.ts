export {
  attackEmbeddings,
  type EmbeddingAttackOptions,
  type EmbeddingAttackResult,
  type EmbeddingGoal,
  type MovedEmbedding,
  type Nearness,
} from "./embedding-attack.ts";
