export { dualGraph, dualParameters, lambdaOf } from "./dual.ts";
export {
  type Constraint,
  type Dual,
  fare,
  type LoreOptions,
  lore,
  type Margin,
  naive,
  type Objective,
  paperDual,
  paperMargin,
  thresholds,
} from "./objective.ts";
export { gradientName, primalGraph } from "./primal.ts";
