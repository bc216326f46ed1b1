import { InvalidArgumentError } from "commander";
import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import { type Probed, probe, writeHead } from "../measure/probes/index.ts";
import { overImages, probesTable } from "../report/index.ts";
import type { Probes } from "../results/index.ts";
import { counted } from "../words.ts";
import { command } from "./command.ts";
import { openData } from "./data.ts";
import { embeddingsKept, type Measurement, measuring, measuringOptions, outOption, type Session } from "./measuring.ts";
import { type Flags, option } from "./option.ts";
import { classesOption } from "./options.ts";
import { parseCount, text } from "./parsers.ts";

const options = {
  ...measuringOptions,
  train: option("--train <data>", text, {
    help: "labelled images to fit on, as in lore evaluate",
    topic: "data",
    required: true,
  }),
  data: option("--data <data>", text, {
    help: "labelled images to measure with, of the same classes by folder",
    topic: "data",
    required: true,
  }),
  classes: classesOption,
  limitTrain: option("--limit-train <n>", parseCount, {
    help: "fit on this many images, taken from each class in turn",
    topic: "data",
  }),
  neighbours: option("--neighbours <k,...>", parseCounts, {
    help: "numbers of nearest neighbours, comma-separated",
    topic: "results",
    default: "1,5,20",
  }),
  out: outOption(),
  saveHead: option("--save-head <file>", text, {
    help: "write the linear probe as safetensors, for lore evaluate --head: weight [classes, D] and bias [classes]",
    topic: "results",
  }),
};

type ProbeFlags = Flags<typeof options>;

export function probeCommand() {
  return command({
    name: "probe",
    description: "fit a linear probe and nearest neighbours on frozen embeddings and measure both on other images",
    options,
    essentials: ["encoder", "train", "data", "saveHead", "out"],
    examples: [
      "probe --encoder runs/lore --train pets/train --data pets/test",
      "probe --encoder facebook/dinov2-small --train pets/train --data pets/test --save-head pets.safetensors",
    ],
    run: measuring("probes", prepare),
  });
}

function parseCounts(written: string): readonly number[] {
  const counts = written.split(",").map(Number);
  if (counts.every((k) => Number.isInteger(k) && k >= 1)) return [...new Set(counts)];
  throw new InvalidArgumentError("It must be positive integers, such as 1,5,20.");
}

async function prepare(flags: ProbeFlags, { progress, warnings, open }: Session): Promise<Measurement<Probes>> {
  const { encoder: specs, train, data, seed, neighbours, limitTrain, saveHead } = flags;
  if (saveHead !== undefined && specs.length > 1)
    throw new UsageError("--save-head takes the head of one encoder: give one --encoder.");
  const [known, source] = [await openData(train, flags, warnings), await openData(data, flags, warnings)];
  return {
    measure: async (options) => {
      const probed: Probed[] = [];
      for (const spec of specs) {
        const { encoder } = await open(spec);
        const found = await probe(encoder, known, source, {
          ...options,
          ...defined({ seed, neighbours, limitTrain }),
          onProgress: ({ phase, done, total }) => progress.update(`${spec} ${phase}`, done, total),
        });
        probed.push(found);
      }
      const { head, trainImages, testImages, skipped, classes } = probed[0]!;
      if (saveHead !== undefined) writeHead(saveHead, { head, folders: known.classes!.map(({ folder }) => folder) });
      return {
        ...{ train, test: data, trainImages, testImages, skipped, classes },
        encoders: probed.map(({ linear, neighbours }, i) => ({ encoder: specs[i]!, linear, neighbours })),
        warnings: [...new Set(probed.flatMap((found) => found.warnings))],
      };
    },
    stopped: () => embeddingsKept,
    text: describe,
    warnings: ({ encoders }) =>
      encoders
        .filter(({ linear }) => !linear.converged)
        .map(({ encoder }) => `${encoder}: the linear probe did not reach its minimum; its accuracy may be too low.`),
  };
}

function describe(content: Probes): string {
  const { train, test, trainImages, testImages, skipped = 0, classes } = content;
  return (
    `${probesTable(content)}\n\n${overImages({ images: testImages, dataset: test, classes })}; ` +
    `fitted on ${overImages({ images: trainImages, dataset: train })}${skipped > 0 ? `; ${counted(skipped, "image")} more could not be read` : ""}`
  );
}
