import type { Parameters } from "../../models/index.ts";
import { gradientName } from "../../objectives/index.ts";
import { compileOnDevice, createTransfer, type DeviceProgram, type Transfer } from "../../runtime/index.ts";
import { adamWGraph, momentNames, nextName } from "../adamw/graph.ts";
import type { StepOptions } from "../step/options.ts";
import type { TrainingGraphs } from "../training-graphs.ts";
import { sumGraph } from "./sum-graph.ts";

/** Programs of a learner in a device's memory. Results stay there, except those that the host reads. */
export interface ResidentPrograms {
  readonly reference: DeviceProgram;
  readonly ascent: DeviceProgram;
  readonly primal: DeviceProgram;
  readonly distance: DeviceProgram | undefined;
  /** Adds up the gradients of a batch's parts. */
  readonly sum: DeviceProgram;
  readonly optimizer: DeviceProgram;
  readonly images: Transfer;
  readonly learned: Transfer;
}

export async function residentPrograms(
  parameters: Parameters,
  { reference, ascent, primal, distance }: TrainingGraphs,
  options: StepOptions,
): Promise<ResidentPrograms> {
  const learned = new Map(
    [...parameters].flatMap(([name, { shape }]) => [name, ...momentNames(name)].map((each) => [each, shape] as const)),
  );
  const gradients = new Map([...parameters].map(([name, { shape }]) => [gradientName(name), shape]));
  const sum = sumGraph(gradients);
  const optimizer = adamWGraph(parameters, options, options.clipGradient);
  return {
    reference: await compileOnDevice(reference, [], options),
    ascent: await compileOnDevice(ascent, Object.keys(ascent), options),
    primal: await compileOnDevice(primal, [...gradients.keys()], options),
    distance: distance && (await compileOnDevice(distance, [], options)),
    sum: await compileOnDevice(sum, Object.keys(sum), options),
    optimizer: await compileOnDevice(optimizer, [...learned.keys()].map(nextName), options),
    images: await createTransfer(new Map([["images", ascent.next!.shape]]), options),
    learned: await createTransfer(learned, options),
  };
}
