import { existsSync } from "node:fs";
import { join } from "node:path";
import { type EmbeddingAttack, embeddingAttackNamed, embeddingAttackNames } from "../attacks/index.ts";
import { tellFault } from "../data/index.ts";
import { defined } from "../defined.ts";
import { formatEpsilon } from "../epsilon.ts";
import { UsageError } from "../errors.ts";
import { type MeasuredFidelity, measureFidelity, readCaptions } from "../measure/fidelity/index.ts";
import type { Margin } from "../objectives/index.ts";
import { fidelityTable, overImages } from "../report/index.ts";
import type { Fidelity } from "../results/index.ts";
import { readRun } from "../training/index.ts";
import { counted } from "../words.ts";
import { command } from "./command.ts";
import { openData } from "./data.ts";
import { type EncoderFlags, encoderFlags, encoderKinds, openEncoder } from "./encoder.ts";
import { embeddingsKept, type Measurement, measuring, measuringOptions, outOption, type Session } from "./measuring.ts";
import { type Flags, list, option } from "./option.ts";
import { classesOption } from "./options.ts";
import { oneOf, parseCount, parseNumber, parseSize, text } from "./parsers.ts";

const options = {
  ...measuringOptions,
  encoder: list("--encoder <encoder...>", {
    help: "one or more encoders that were fine-tuned from it",
    topic: "encoder",
    required: true,
  }),
  original: option("--original <encoder>", text, {
    help: `the encoder before fine-tuning (default: what the run began with): ${encoderKinds}`,
    topic: "encoder",
  }),
  data: option("--data <data>", text, {
    help: "images, as in lore evaluate; labels are not needed",
    topic: "data",
    required: true,
  }),
  classes: classesOption,
  captions: option("--captions <file>", text, {
    help: "captions of the images, for text-to-image recall: COCO's annotations, JSON by file name, or two columns (.tsv, .csv)",
    topic: "data",
  }),
  rho: option("--rho <x>", parseNumber, {
    help: "allow a squared distance of rho |original embedding|^p (default: the run's, else 0.1)",
    topic: "objective",
  }),
  marginExponent: option("--margin-exponent <p>", parseNumber, {
    help: "the exponent p in --rho (default: the run's, else 2)",
    topic: "objective",
  }),
  attack: option("--attack <name>", oneOf(["none", ...embeddingAttackNames]), {
    help: "attack that moves embeddings away from the original's",
    topic: "attack",
    default: "none",
  }),
  epsilon: option("--epsilon <size>", parseSize, {
    help: "size of the perturbation",
    topic: "attack",
    default: "2/255",
  }),
  steps: option("--steps <n>", parseCount, {
    help: "steps of the attack (default: pgd 20, apgd 100)",
    topic: "attack",
  }),
  out: outOption(),
};

type FidelityFlags = Flags<typeof options>;

export function fidelityCommand() {
  return command({
    name: "fidelity",
    description: "measure how far embeddings are from the original encoder's, clean and under attack",
    options,
    essentials: ["encoder", "original", "data", "attack", "out"],
    examples: [
      "fidelity --encoder runs/lore --data photos",
      "fidelity --original openai/clip-vit-base-patch32 --encoder robust --data photos --attack apgd --epsilon 2/255",
    ],
    run: measuring("fidelity", prepare),
  });
}

async function prepare(flags: FidelityFlags, { progress, warnings }: Session): Promise<Measurement<Fidelity>> {
  const { data, seed, strict } = flags;
  const stated = statedByRun(flags.encoder);
  const {
    original: originalSpec,
    rho,
    marginExponent,
  } = {
    ...stated,
    ...defined({ original: flags.original, rho: flags.rho, marginExponent: flags.marginExponent }),
  };
  if (originalSpec === undefined)
    throw new UsageError("--original is missing: none of the encoders is a run folder that names what it began with.");
  if (!(rho > 0)) throw new UsageError(`--rho ${rho} must be greater than 0.`);
  const attack = attackOf(flags);
  const source = await openData(data, flags, warnings);
  const captions = flags.captions === undefined ? undefined : readCaptions(flags.captions, source);
  for (const message of captions?.faults ?? [])
    tellFault(message, { ...defined({ strict }), onWarning: warnings.tell });
  if (captions) warnings.remark(`${counted(captions.byImage.size, "image")} of ${source.items.length} have captions.`);
  const asTrained = originalSpec === stated.original ? stated.openedWith : {};
  const original = await openEncoder(originalSpec, { ...asTrained, ...flags }, progress);
  // Under attack the original is what the others are compared with.
  const specs = attack ? [originalSpec, ...flags.encoder] : flags.encoder;
  return {
    measure: async (options) => {
      const measured: MeasuredFidelity[] = [];
      for (const spec of specs) {
        const encoder = spec === originalSpec ? original : await openEncoder(spec, flags, progress);
        const found = await measureFidelity(original, encoder, source, {
          ...options,
          ...defined({ rho, marginExponent, seed, attack, captions: captions?.byImage }),
          onProgress: ({ phase, done, total }) => progress.update(`${spec} ${phase}`, done, total),
        });
        measured.push(found);
      }
      return {
        ...{ dataset: data, images: measured[0]!.images, skipped: measured[0]!.skipped },
        ...{ original: originalSpec, rho, marginExponent },
        ...defined({
          attack: attack && `${flags.attack} ${formatEpsilon(flags.epsilon)}, ${attack.steps} steps`,
        }),
        encoders: measured.map(({ images: _, skipped: __, warnings: ___, ...found }, i) => ({
          encoder: specs[i]!,
          ...found,
        })),
        warnings: [...(captions?.faults ?? []), ...new Set(measured.flatMap((found) => found.warnings))],
      };
    },
    stopped: () => embeddingsKept,
    text: describe,
  };
}

interface Stated {
  readonly original?: string;
  /** The flags it was opened with. */
  readonly openedWith?: EncoderFlags;
  readonly rho: number;
  readonly marginExponent: number;
}

/** The original and the constraint of the first run folder among the encoders; the paper's constraint where it states none. */
function statedByRun(specs: readonly string[]): Stated {
  const run = specs.find((spec) => existsSync(join(spec, "run.json")));
  const usual = { rho: 0.1, marginExponent: 2 };
  if (run === undefined) return usual;
  const { flags, objective } = readRun(run) as RunFile;
  const margin = objective?.constraint?.margin;
  return {
    ...usual,
    ...(flags?.encoder !== undefined && { original: flags.encoder, openedWith: encoderFlags(flags) }),
    ...(margin?.kind === "relative" && { rho: margin.rho, marginExponent: margin.exponent }),
  };
}

interface RunFile {
  readonly flags?: EncoderFlags & { readonly encoder?: string };
  readonly objective?: { readonly constraint?: { readonly margin?: Margin } };
}

function attackOf({ attack, epsilon, steps }: FidelityFlags): EmbeddingAttack | undefined {
  return attack === "none" ? undefined : embeddingAttackNamed(attack, { epsilon, loss: "embedding-l2", steps });
}

function describe(content: Fidelity): string {
  const { images, skipped, dataset, original, attack, rho, marginExponent } = content;
  return (
    `${fidelityTable(content)}\n\n${overImages(defined({ images, skipped, dataset }))}; embeddings beside those of ${original}, squared l2, medians\n` +
    `violated: clean distance above ${rho} |phi0(x)|^${marginExponent}${attack === undefined ? "" : `; attacked by ${attack}`}`
  );
}
