import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { pgd } from "../attacks/index.ts";
import { type ImageSource, synthetic } from "../data/index.ts";
import { defined } from "../defined.ts";
import { formatEpsilon } from "../epsilon.ts";
import { UsageError } from "../errors.ts";
import { writeAtomically } from "../files.ts";
import { attackedExamples, evaluate, type Outcomes, paired } from "../measure/accuracy/index.ts";
import { type Encoder, loadEncoder } from "../models/index.ts";
import { fare, lore, type Objective, robust } from "../objectives/index.ts";
import {
  type QuickstartFacts,
  type QuickstartRow,
  quickstartCells,
  quickstartHeadline,
  quickstartReport,
  textTable,
} from "../report/index.ts";
import type { Evaluation } from "../results/index.ts";
import { type FinetuneOptions, finetune } from "../training/index.ts";
import { command } from "./command.ts";
import { printJson } from "./measuring.ts";
import { type Flags, option } from "./option.ts";
import { compileFlags, computeOptions } from "./options.ts";
import { parseCount, text } from "./parsers.ts";
import { duration, ProgressLine } from "./progress.ts";

const encoderFolder = fileURLToPath(new URL("../../assets/clip-shapes", import.meta.url));

/** Sizes that make the point in about two minutes on two cores. */
const epsilon = 4 / 255;
const trainingImages = 8192;
/** Images after the training images, which measure how much a blend keeps. */
const heldOutImages = 256;
const testImages = 300;
const unseenImages = 100;
const pictured = [0, 1, 2, 3, 4, 5, 6, 7];
const margin = { kind: "relative", rho: 0.1, exponent: 2 } as const;
const dual = { kind: "network", hidden: 512, initial: 2, learningRate: 5e-4 } as const;

/** A method, and the share of the recipe's images that it sees for the same computation: passes an image, against 8. */
interface Method {
  readonly name: string;
  readonly objective: Objective;
  readonly share: number;
  readonly training: FinetuneOptions;
}

const published = { epochs: 1, batch: 64, learningRate: 3e-4 };
const methods: readonly Method[] = [
  { name: "FARE, K = 5", objective: fare({ epsilon, stepsPerBatch: 5 }), share: 8 / 36, training: published },
  { name: "LORE, K = 5", objective: lore({ epsilon, margin, dual }), share: 8 / 51, training: published },
  { name: "recipe", objective: robust({ epsilon }), share: 1, training: { epochs: 1 } },
];

const options = {
  out: option("--out <folder>", text, {
    help: "where the report and the picture go",
    topic: "results",
    default: "runs/quickstart",
  }),
  images: option("--images <n>", parseCount, {
    help: "generated images that the recipe is fine-tuned on",
    topic: "data",
    default: String(trainingImages),
  }),
  ...computeOptions,
};

export function quickstartCommand() {
  return command({
    name: "quickstart",
    description: "see the main job in miniature, offline: break an encoder, make it robust, compare",
    options,
    essentials: ["out", "images", "device", "threads", "json"],
    examples: ["quickstart", "quickstart --images 2048 --out runs/short"],
    run,
  });
}

async function run(flags: Flags<typeof options>): Promise<void> {
  const started = performance.now();
  const progress = new ProgressLine();
  const compute = await compileFlags(flags);
  const { seed } = flags;
  const original = await loadEncoder(encoderFolder);
  // Unlabelled images of anything are available: these show all pairs, including those that the encoder never saw.
  const train = synthetic({ count: flags.images + heldOutImages, seed: seed + 1, split: "all" });
  const pairs = { seed: seed + 2, label: "colour-shape" } as const;
  const test = synthetic({ ...pairs, count: testImages, split: "test" });
  const unseen = synthetic({ ...pairs, count: unseenImages, split: "heldout" });
  const attacks = [epsilon / 2, epsilon].map((size) => pgd({ epsilon: size, steps: 20 }));

  const measureOn = (
    source: ImageSource,
    name: string,
    encoder: Encoder,
    onOutcomes?: (outcomes: Outcomes) => void,
  ): Promise<Evaluation> =>
    evaluate(encoder, source, {
      ...compute,
      ...defined({ onOutcomes }),
      attacks,
      seed,
      onProgress: ({ phase, done, total }) => progress.update(`measuring ${name}: ${phase}`, done, total),
    });
  const outcomes: Outcomes[] = [];
  const measure = async (name: string, encoder: Encoder): Promise<QuickstartRow> => ({
    name,
    test: await measureOn(test, name, encoder, (found) => outcomes.push(found)),
    unseen: await measureOn(unseen, name, encoder),
    examples: await attackedExamples(encoder, test, pgd({ epsilon: epsilon / 2 }), pictured, { ...compute, seed }),
  });

  const rows = [await measure("original", original)];
  for (const { name, objective, share, training } of methods) {
    const { encoder } = await finetune(original, train, objective, {
      ...compute,
      ...training,
      // Measured with labels below.
      judge: false,
      seed,
      limit: Math.max(1, Math.round(share * flags.images)),
      onStep: ({ step, advDistance, cleanDistance }, total) =>
        progress.update(
          `fine-tuning: ${name}`,
          step,
          total,
          `adv ${advDistance.toFixed(1)}  clean ${cleanDistance?.toFixed(1) ?? ""}`,
        ),
      onWarning: (message) => progress.note(`Warning: ${message}`),
    });
    rows.push(await measure(name, encoder));
  }
  progress.end();

  const gain = paired("original", outcomes[0]!, outcomes.at(-1)!, testImages);
  const headline = quickstartHeadline(rows, gain);
  const facts = { epsilon, pictured: epsilon / 2, headline, trainingImages: flags.images, settings: { methods } };
  const files = await writeReport(flags.out, rows, facts);
  const seconds = (performance.now() - started) / 1000;
  if (flags.json) {
    const evaluations = rows.map(({ name, test, unseen }) => ({ name, test, unseen }));
    printJson({ evaluations, ...files, seconds });
    return;
  }
  const { header, cells } = quickstartCells(rows);
  process.stdout.write(
    `${headline.join("\n")}\n\n${textTable(header, cells)}\n\n${testImages} generated test images, and ${unseenImages} of colours and shapes that the encoder never saw together; zero-shot\n` +
      `among 64 such pairs; PGD l-inf, 20 steps. Fine-tuned without labels at ${formatEpsilon(epsilon)}, with the same computation: the recipe\n` +
      `of lore train on ${flags.images} images, the others on fewer. ${duration(seconds)} in all.\n` +
      `Picture: ${files.picture}\nReport:  ${files.report}\n`,
  );
}

async function writeReport(out: string, rows: readonly QuickstartRow[], facts: QuickstartFacts) {
  const { png, html } = await quickstartReport(rows, facts);
  const [picture, report] = [join(out, "attack.png"), join(out, "report.html")];
  try {
    writeAtomically(picture, png);
    writeAtomically(report, html);
  } catch (cause) {
    throw new UsageError(`The report cannot be written to ${out}; give another folder with --out.`, { cause });
  }
  return { picture: relative("", picture), report: relative("", report) };
}
