export { type Apgd, type ApgdOptions, apgd } from "./apgd.ts";
export { ascentGraph, ascentScalars, ascentSpec, drawStarts } from "./ascent.ts";
export {
  type AutoAttack,
  type AutoAttackOptions,
  type AutoAttackVersion,
  attackList,
  attacksIn,
  autoAttack,
  measurementName,
  measurementNorm,
} from "./autoattack.ts";
export { distance } from "./ball.ts";
export { type Fab, type FabOptions, fab } from "./fab.ts";
export {
  type EpsilonDraw,
  type FixedSteps,
  type InnerAttack,
  type InnerAttackOptions,
  type InnerAttackSettings,
  innerAttack,
  isInt8,
} from "./inner.ts";
export { cosineDistance, crossEntropy, misclassified, squaredDistance } from "./losses.ts";
export {
  type AttackName,
  type AttackWish,
  attackNames,
  attacksNamed,
  embeddingAttackNamed,
  embeddingAttackNames,
  isAttackName,
  type WriteName,
} from "./named-attacks.ts";
export { type NamedSetting, namedSettings } from "./named-settings.ts";
export { type Noise, type NoiseOptions, noise } from "./noise.ts";
export type { AttackOutcome } from "./outcome.ts";
export { type InnerPrograms, perturbBatch } from "./perturb.ts";
export { type Pgd, type PgdOptions, pgd, pgdSearch } from "./pgd.ts";
export { type Images, planOf } from "./plan.ts";
export {
  type Attack,
  attackLoss,
  attackName,
  classesNeeded,
  describeSettings,
  type EmbeddingAttack,
  isEmbeddingAttack,
  maxPoints,
} from "./registry.ts";
export { type AttackJob, type Feeds, type Plan, runSearches } from "./scheduler.ts";
export type { Found, Origin, Search } from "./search.ts";
export { type Square, type SquareOptions, square } from "./square.ts";
export {
  type EmbeddingLoss,
  embeddingDistance,
  isEmbeddingLoss,
  lossGraph,
  misclassification,
  type TargetBuilder,
} from "./target.ts";
export type { Norm, ThreatModel } from "./threat.ts";
