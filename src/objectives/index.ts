export { EmbeddingBank, withBankFor } from "./bank.ts";
export {
  type ClassMargin,
  type Constraint,
  classThresholds,
  controllerDual,
  type Dual,
  distanceKeeping,
  type Margin,
  paperDual,
  thresholds,
} from "./constraint.ts";
export { type BankArrays, type Distance, type DistanceKind, distanceKinds, distanceOf } from "./distance.ts";
export { control, dualGraph, dualParameters } from "./dual.ts";
export {
  type FareOptions,
  fare,
  type LoreOptions,
  lore,
  type NaiveOptions,
  naive,
  type Objective,
  type RobustOptions,
  robust,
  type TecoaConstraint,
  type TecoaOptions,
  tecoa,
} from "./objective.ts";
export { gradientName, primalGraph } from "./primal.ts";
export { classEntropy, type Measure, termsOf } from "./terms.ts";
