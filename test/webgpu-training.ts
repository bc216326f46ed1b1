/**
 * Prints what two training batches of LORE with K = 2 on a tiny encoder came to on each device, in two parts a batch, as
 * `{ "cpu": Training, "webgpu": Training }`. A script of its own because WebGPU's driver is chosen when a process starts.
 */
import { lore } from "../src/objectives/index.ts";
import { randomImages, tinyEncoder } from "../src/testing/tiny.ts";
import { TrainingStep } from "../src/training/index.ts";

export interface Training {
  /** A record of metrics a batch. */
  readonly metrics: readonly Readonly<Record<string, number>>[];
  /** The first batch's gradient with respect to every weight: the optimiser's first moments after its only step. */
  readonly gradient: readonly number[];
}

const encoder = tinyEncoder();
const images = randomImages(3);
const objective = (stepsPerBatch: number) =>
  lore({ epsilon: 8 / 255, stepsPerBatch, attack: { steps: 3, momentum: 0.5 } });

const results: Record<string, Training> = {};
for (const device of ["cpu", "webgpu"] as const) {
  const options = { device, microBatch: 2, weightDecay: 1e-2, clipGradient: 1, seed: 0, threads: 1 };
  const once = await TrainingStep.create(encoder, objective(1), options);
  await once.run(images, ["first"], () => 1e-3);
  await once.pull();
  const moments = [...once.state()].filter(([name]) => name.startsWith("optimizer.first."));
  const gradient = moments.flatMap(([, { data }]) => [...(data as Float32Array)]);
  await once.dispose();

  const twice = await TrainingStep.create(encoder, objective(2), options);
  const metrics: Record<string, number>[] = [];
  for (const key of ["first", "second"]) metrics.push({ ...(await twice.run(images, [key], () => 1e-3)) });
  await twice.pull();
  twice.checkFinite();
  await twice.dispose();
  results[device] = { metrics, gradient };
}
process.stdout.write(JSON.stringify(results));
