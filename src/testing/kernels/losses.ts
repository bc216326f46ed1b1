import { fed, i32, i64, int, type KernelCase, use, word } from "./case.ts";

const labels = i64([2, 0, 1, 2, 2, 1], [2, 3]);
/** Minus one is no class. */
const some = i32([2, -1, 1, 2, -1, 1], [2, 3]);
const reductions = ["none", "sum", "mean"].map(word);

/** Losses, with every reduction, weights of classes, and classes that are ignored. */
export const losses: readonly KernelCase[] = ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"].flatMap((op) => [
  ...reductions.flatMap((reduction) => [
    use(op, ["2 3 3", fed(labels)], { reduction }),
    use(op, ["2 3 3", fed(some), "3"], { reduction, ignore_index: int(-1) }, { low: 0.5 }),
  ]),
  use(op, ["3 4", i64([3, 0, 2])]),
]);

export const lossesWithProbabilities: readonly KernelCase[] = [
  use("SoftmaxCrossEntropyLoss", ["2 3 3", labels], {}, { outputs: [0, 1] }),
];
