import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { pgd } from "../attacks/index.ts";
import { synthetic } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import {
  type AttackedExample,
  attackedExamples,
  type Evaluation,
  evaluate,
  formatEpsilon,
} from "../evaluation/index.ts";
import { writeAtomically } from "../models/files.ts";
import { type Encoder, loadEncoder } from "../models/index.ts";
import { fare, lore, type Objective } from "../objectives/index.ts";
import { evaluationCells, evaluationTable } from "../report/evaluation.ts";
import { amplifiedDifference, galleryPng } from "../report/gallery.ts";
import { embeddedPng, htmlPage, htmlTable, paragraph, preformatted, section } from "../report/page.ts";
import { finetune } from "../training/index.ts";
import { type ComputeFlags, compileFlags, parseCount, withComputeFlags } from "./options.ts";
import { duration, ProgressLine } from "./progress.ts";

const encoderFolder = fileURLToPath(new URL("../../assets/shapes-encoder", import.meta.url));

/** Sizes that make the point in about two minutes on two cores. */
const epsilon = 4 / 255;
const trainingImages = 2048;
const testImages = 400;
const training = { epochs: 1, batch: 64, learningRate: 3e-4 };
const margin = { kind: "relative", rho: 0.1, exponent: 2 } as const;
const methods: readonly (readonly [name: string, objective: Objective])[] = [
  ["FARE, K = 5", fare({ epsilon, stepsPerBatch: 5 })],
  ["LORE, K = 5", lore({ epsilon, margin, dual: { kind: "network", hidden: 512, initial: 2, learningRate: 5e-4 } })],
];

interface Flags extends ComputeFlags {
  readonly out: string;
  readonly images: number;
}

export function quickstartCommand(): Command {
  const command = new Command("quickstart")
    .description("the main job in miniature, offline: break an encoder, make it robust, see the difference")
    .option("--out <folder>", "where the report and the picture go", "runs/quickstart")
    .option("--images <n>", "generated images to fine-tune on", parseCount, trainingImages);
  return withComputeFlags(command).action(run);
}

async function run(flags: Flags): Promise<void> {
  const started = performance.now();
  const progress = new ProgressLine();
  const compute = compileFlags(flags);
  const { seed } = flags;
  const original = await loadEncoder(encoderFolder);
  const train = synthetic({ count: flags.images, seed: seed + 1, split: "train" });
  const test = synthetic({ count: testImages, seed: seed + 2, split: "test" });
  const attacks = [epsilon / 2, epsilon].map((size) => pgd({ epsilon: size, steps: 20 }));

  const measure = async (name: string, encoder: Encoder): Promise<Evaluation> => {
    const result = await evaluate(encoder, test, {
      ...compute,
      attacks,
      seed,
      onProgress: ({ phase, done, total }) => progress.update(`measuring ${name}: ${phase}`, done, total),
    });
    return { ...result, encoder: name };
  };

  const evaluations = [await measure("original", original)];
  const examples: [name: string, attacked: readonly AttackedExample[]][] = [
    ["original", await exampleImages(original)],
  ];
  for (const [name, objective] of methods) {
    const { encoder } = await finetune(original, train, objective, {
      ...compute,
      ...training,
      seed,
      onStep: ({ step, advDistance, cleanDistance }, total) =>
        progress.update(
          `fine-tuning: ${name}`,
          step,
          total,
          `adv ${advDistance.toFixed(1)}  clean ${cleanDistance.toFixed(1)}`,
        ),
      onWarning: (message) => progress.note(`Warning: ${message}`),
    });
    evaluations.push(await measure(name, encoder));
    examples.push([name, await exampleImages(encoder)]);
  }
  progress.end();

  function exampleImages(encoder: Encoder): Promise<readonly AttackedExample[]> {
    return attackedExamples(encoder, test, pgd({ epsilon }), [0, 1, 2, 3, 4, 5, 6, 7], { ...compute, seed });
  }
  const files = await writeReport(flags, evaluations, examples);
  const seconds = (performance.now() - started) / 1000;
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ evaluations, ...files, seconds }, undefined, 2)}\n`);
    return;
  }
  process.stdout.write(
    `${evaluationTable(evaluations)}\n\n${testImages} generated test images, 8 shapes; PGD l-inf, 20 steps; fine-tuned without labels on ` +
      `${flags.images} images at ${formatEpsilon(epsilon)}, in ${duration(seconds)}.\n` +
      `Picture: ${files.picture}\nReport:  ${files.report}\n`,
  );
}

async function writeReport(
  { out, images }: Flags,
  evaluations: readonly Evaluation[],
  examples: readonly (readonly [string, readonly AttackedExample[]])[],
) {
  const [, originalExamples] = examples[0]!;
  const size = Math.sqrt(originalExamples[0]!.clean.length / 3);
  const png = await galleryPng({
    size,
    rows: [
      originalExamples.map(({ clean }) => clean),
      originalExamples.map(({ perturbed }) => perturbed),
      originalExamples.map(({ clean, perturbed }) => amplifiedDifference(perturbed, clean, epsilon)),
    ],
  });
  const { header, rows } = evaluationCells(evaluations);
  const names = originalExamples.map(({ label }, i) => [
    label,
    originalExamples[i]!.predictedClean,
    ...examples.map(([, attacked]) => attacked[i]!.predictedPerturbed),
  ]);
  const page = htmlPage("lore-vision quickstart", [
    paragraph(
      "A small vision encoder is attacked, then fine-tuned without labels by FARE and by LORE, and attacked again. All images are generated.",
    ),
    section(
      "Accuracy",
      htmlTable(header, rows),
      paragraph(`${testImages} test images, 8 shapes. PGD, l-inf, 20 steps of epsilon / 4, one random start.`),
    ),
    section(
      `Eight images, attacked at ${formatEpsilon(epsilon)}`,
      embeddedPng(
        png,
        "Eight test images in columns: as they are, as the attack on the original encoder changed them, and the difference",
      ),
      paragraph(
        "From top to bottom: the image, the image perturbed against the original encoder, the difference (mid-grey is none, black and white are epsilon).",
      ),
      htmlTable(["shape", "original, clean", ...examples.map(([name]) => `${name}, attacked`)], names),
    ),
    section(
      "Settings",
      preformatted(
        JSON.stringify(
          { epsilon: formatEpsilon(epsilon), images, ...training, methods: Object.fromEntries(methods) },
          undefined,
          2,
        ),
      ),
    ),
  ]);
  const [picture, report] = [join(out, "attack.png"), join(out, "report.html")];
  try {
    writeAtomically(picture, png);
    writeAtomically(report, page);
  } catch (cause) {
    throw new UsageError(`The report cannot be written to ${out}; give another folder with --out.`, { cause });
  }
  return { picture: relative("", picture), report: relative("", report) };
}
