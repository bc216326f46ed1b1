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
  paperMargin,
  thresholds,
} from "./constraint.ts";
export {
  type BankArrays,
  type BankDistance,
  type Distance,
  type DistanceKind,
  distanceKinds,
  distanceMeasure,
  distanceOf,
  usesBank,
} from "./distance.ts";
export { control, dualGraph, dualParameters, lambdaOf } from "./dual.ts";
export {
  fare,
  type LoreOptions,
  type Loss,
  lore,
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
