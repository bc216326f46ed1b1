import type { Probes } from "../results/index.ts";
import { percent, textTable } from "./table.ts";

/** A row an encoder: accuracies of the linear probe and of each number of neighbours. */
export function probesTable({ encoders }: Probes): string {
  const ks = encoders[0]!.neighbours.map(({ k }) => `${k}-NN`);
  const rows = encoders.map(({ encoder, linear, neighbours }) => [
    encoder,
    percent(linear.accuracy),
    percent(linear.trainAccuracy),
    linear.regularization.toExponential(0),
    ...neighbours.map(({ accuracy }) => percent(accuracy)),
  ]);
  return textTable(["encoder", "linear", "(training)", "l2", ...ks], rows);
}
