/**
 * Attacks and their settings, for `evaluate`, `attackEmbeddings` and `measureFidelity`.
 *
 * @module attacks
 */
export {
  type Apgd,
  type ApgdOptions,
  type Attack,
  type AutoAttack,
  type AutoAttackOptions,
  type AutoAttackVersion,
  apgd,
  attackList,
  autoAttack,
  type Fab,
  type FabOptions,
  fab,
  type InnerAttackOptions,
  type Noise,
  type NoiseOptions,
  type Norm,
  noise,
  type Pgd,
  type PgdOptions,
  pgd,
  type Square,
  type SquareOptions,
  square,
  type ThreatModel,
} from "./attacks/index.ts";
