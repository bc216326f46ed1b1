export { type Apgd, type ApgdOptions, apgd } from "./apgd.ts";
export { ascentGraph, ascentScalars, ascentSpec, drawStarts } from "./ascent.ts";
export { type Attack, attackLoss, attackName, classesNeeded, type Images, planOf, targetCount } from "./attack.ts";
export {
  type AutoAttack,
  type AutoAttackOptions,
  type AutoAttackVersion,
  attackList,
  autoAttack,
} from "./autoattack.ts";
export { distance } from "./ball.ts";
export {
  type AttackName,
  type AttackSettings,
  type AttackWish,
  attackNames,
  attacksNamed,
  isAttackName,
} from "./catalogue.ts";
export { type AttackJob, type AttackOutcome, drive, type Feeds, type Plan } from "./drive.ts";
export { type Fab, type FabOptions, fab } from "./fab.ts";
export {
  type EpsilonDraw,
  type FixedSteps,
  type InnerAttack,
  type InnerAttackOptions,
  innerAttack,
  isInt8,
} from "./inner.ts";
export { cosineDistance, crossEntropy, misclassified, squaredDistance } from "./losses.ts";
export { type Noise, type NoiseOptions, noise } from "./noise.ts";
export { type InnerPrograms, perturbBatch } from "./perturb.ts";
export { type Pgd, type PgdOptions, pgd, pgdSearch } from "./pgd.ts";
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
