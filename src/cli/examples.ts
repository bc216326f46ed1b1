import { join } from "node:path";
import { type Attack, type AutoAttack, attackName, attacksIn, distance } from "../attacks/index.ts";
import { balancedSubset, type ImageSource } from "../data/index.ts";
import { formatEpsilon } from "../epsilon.ts";
import { writeAtomically } from "../files.ts";
import type { ClassifierOptions } from "../inference/index.ts";
import { type AttackedExample, attackedExamples } from "../measure/accuracy/index.ts";
import { amplifiedDifference, galleryPng } from "../report/index.ts";
import type { PicturedExample } from "../results/index.ts";
import { folderOf, type NamedEncoder } from "./results.ts";

export interface ExampleOptions extends ClassifierOptions {
  /** Number of images, taken from each class in turn. */
  readonly count: number;
  readonly seed: number;
  /** All encoders on the command line, which determine the name of the pictures' folder. */
  readonly specs: readonly string[];
}

/** Attacks some images and keeps a picture of each below the folder of a finding. Of a list of attacks only the first counts. */
export async function keepExamples(
  folder: string,
  { spec, encoder }: NamedEncoder,
  source: ImageSource,
  measured: Attack | AutoAttack,
  { count, specs, ...options }: ExampleOptions,
): Promise<readonly PicturedExample[]> {
  const attack = attacksIn(measured)[0]!;
  const indices = balancedSubset(source, count, options.seed);
  const examples = await attackedExamples(encoder, source, attack, indices, options);
  const pictures = specs.length === 1 ? "examples" : folderOf("examples", spec, specs);
  return Promise.all(
    examples.map(async (example, i) => {
      const { id, label, predictedClean, predictedPerturbed } = example;
      const file = join(pictures, `${i}.png`);
      // If nothing changed, any scale will do.
      const scale = distance("linf", example.perturbed, example.clean) || 1;
      writeAtomically(join(folder, file), await examplePng(example, scale));
      const description = `${label}: the image, the perturbed image, and their difference`;
      return {
        ...{ encoder: spec, image: id, attack: `${attackName(attack)} ${formatEpsilon(measured.epsilon)}` },
        ...{ label, predictedClean, predictedPerturbed, picture: { file, description } },
        amplification: 1 / (2 * scale),
      };
    }),
  );
}

/** @param scale the change that is drawn black or white */
function examplePng({ clean, perturbed }: AttackedExample, scale: number): Promise<Buffer> {
  return galleryPng({
    size: Math.sqrt(clean.length / 3),
    rows: [[clean, perturbed, amplifiedDifference(perturbed, clean, scale)]],
  });
}
