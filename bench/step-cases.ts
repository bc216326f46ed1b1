import { InvalidArgumentError } from "commander";
import { type BenchModelName, benchModels } from "../src/profiling/architectures.ts";

export interface StepCase {
  readonly model: BenchModelName;
  readonly imageSize: number;
  readonly batch: number;
  /** K */
  readonly stepsPerBatch: number;
}

export const defaultCases = [
  "vit-b-32:8:1",
  "small:64:1",
  "small:64:5",
  "vit-b-32:8:5",
  "deit-tiny@112:16:1",
  "deit-tiny@224:16:1",
] as const;

/** Reads `MODEL:BATCH:K` or `MODEL@PIXELS:BATCH:K`. */
export function parseCase(text: string): StepCase {
  const match = /^([a-z0-9-]+)(?:@([1-9]\d*))?:([1-9]\d*):([1-9]\d*)$/.exec(text);
  const [, model = "", imageSize, batch, stepsPerBatch] = match ?? [];
  if (!match || !Object.hasOwn(benchModels, model)) {
    const names = Object.keys(benchModels).join(", ");
    throw new InvalidArgumentError(`Write MODEL:BATCH:K or MODEL@PIXELS:BATCH:K, with a model of ${names}.`);
  }
  const name = model as BenchModelName;
  const { imageSize: usual, patch } = benchModels[name];
  const size = Number(imageSize ?? usual);
  if (size % patch !== 0) throw new InvalidArgumentError(`Images of ${model} are a multiple of ${patch} pixels wide.`);
  return {
    model: name,
    imageSize: size,
    batch: Number(batch),
    stepsPerBatch: Number(stepsPerBatch),
  };
}

/** Reads one more of an option's values. */
export function addCase(text: string, before: readonly StepCase[] = []): readonly StepCase[] {
  return [...before, parseCase(text)];
}

export function describeCase({ model, imageSize, batch, stepsPerBatch }: StepCase): string {
  return `${model} at ${imageSize}, batch ${batch}, K = ${stepsPerBatch}`;
}
