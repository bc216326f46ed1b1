export { type Accuracies, accuraciesIn } from "./accuracies.ts";
export { readSweep, type Sweep, type SweepMeasurement, type SweepRun } from "./description.ts";
export { planOf, type SweepTask } from "./plan.ts";
export { answerOf, runSweep, type SweepAnswer, type SweepOptions } from "./run.ts";
