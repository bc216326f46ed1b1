export { type AttackOutcome, ascentSpec, type Pgd, type PgdOptions, perturbBatch, pgd, runPgd } from "./pgd.ts";
export { ascentGraph, crossEntropy, misclassification, misclassified, squaredDistance } from "./step.ts";
export { type Norm, project, randomStart, type ThreatModel } from "./threat.ts";
