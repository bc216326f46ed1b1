export { accuraciesIn } from "./accuracies.ts";
export { readSweep } from "./description.ts";
export { planOf, type SweepTask } from "./plan.ts";
export { answerOf, runSweep } from "./run.ts";
