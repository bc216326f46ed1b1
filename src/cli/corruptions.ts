import { join } from "node:path";
import { InvalidArgumentError } from "commander";
import {
  allCorruptions,
  type Corruption,
  commonCorruptions,
  frostFiles,
  isCorruption,
  isSeverity,
  type Severity,
  severities,
} from "../corruptions/index.ts";
import { filesFingerprint } from "../data/index.ts";
import { defined } from "../defined.ts";
import { formatEpsilon } from "../epsilon.ts";
import { openTemplates } from "../inference/index.ts";
import { CorruptionCounts, evaluateCorruptions, usualNoise } from "../measure/corruptions/index.ts";
import { corruptionsTable, overImages } from "../report/index.ts";
import type { Corruptions } from "../results/index.ts";
import { command } from "./command.ts";
import { openData } from "./data.ts";
import { encoderKinds } from "./encoder.ts";
import {
  keptIn,
  labelledDataOption,
  type Measurement,
  measuring,
  measuringOptions,
  outOption,
  type Session,
} from "./measuring.ts";
import { type Flags, list, option } from "./option.ts";
import { classesOption } from "./options.ts";
import { parseSizes, text } from "./parsers.ts";
import { absolute, dataSettings, folderOf, type NamedEncoder } from "./results.ts";

const options = {
  ...measuringOptions,
  encoder: list("--encoder <encoder...>", {
    help: `one or more encoders, the first to compare with: ${encoderKinds}`,
    topic: "encoder",
    required: true,
  }),
  data: labelledDataOption,
  classes: classesOption,
  templates: option("--templates <prompts>", text, {
    help: "zero-shot: prompts of the class names, as in lore evaluate (default: the data's own)",
    topic: "data",
  }),
  corruptions: option("--corruptions <names>", parseCorruptions, {
    help: `common (the fifteen of the mean corruption error), all (four more), none, or names, comma-separated: ${allCorruptions.join(", ")}`,
    topic: "data",
    default: "common",
  }),
  severities: option("--severities <list>", parseSeverities, {
    help: "severities from 1 to 5",
    topic: "data",
    default: severities.join(","),
  }),
  noise: option("--noise <sizes>", parseNoise, {
    help: "standard deviations of Gaussian noise in pixel units, such as 8/255,0.1; or none",
    topic: "data",
    default: usualNoise.map(formatEpsilon).join(","),
  }),
  frost: option("--frost <folder>", text, {
    help: "the published frost textures (frost1.png ... frost5.jpg); without them frost is drawn, and cannot be compared with published figures",
    topic: "data",
  }),
  out: outOption("keep the results there for lore report, and go on where an earlier call stopped"),
};

type CorruptionsFlags = Flags<typeof options>;

export function corruptionsCommand() {
  return command({
    name: "corruptions",
    description: "measure accuracy under the common corruptions of ImageNet-C and under Gaussian noise",
    options,
    essentials: ["encoder", "data", "corruptions", "severities", "out"],
    examples: [
      "corruptions --encoder openai/clip-vit-base-patch32 runs/lore --data pets --limit 200",
      "corruptions --encoder runs/lore --data pets --corruptions fog,frost,snow --severities 1,3,5",
    ],
    run: measuring("corruptions", prepare),
  });
}

function parseCorruptions(written: string): readonly Corruption[] {
  if (written === "all") return allCorruptions;
  if (written === "common") return commonCorruptions;
  if (written === "none") return [];
  const names = [...new Set(written.split(",").map((name) => name.trim()))];
  const unknown = names.find((name) => !isCorruption(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(
      `There is no "${unknown}"; there are all, common, none, ${allCorruptions.join(", ")}.`,
    );
  return names.filter(isCorruption);
}

function parseSeverities(written: string): readonly Severity[] {
  const values = [...new Set(written.split(",").map(Number))];
  if (!values.every(isSeverity)) throw new InvalidArgumentError("It must be whole numbers from 1 to 5, such as 1,3,5.");
  return values.filter(isSeverity).sort((a, b) => a - b);
}

function parseNoise(written: string): readonly number[] {
  return written === "none" ? [] : [...new Set(parseSizes(written))];
}

async function prepare(flags: CorruptionsFlags, session: Session): Promise<Measurement<Corruptions>> {
  const { encoder: specs, data, seed, corruptions, severities, noise, frost, out } = flags;
  const { progress, warnings } = session;
  const source = await openData(data, flags, warnings);
  const templates = flags.templates === undefined ? undefined : openTemplates(flags.templates);
  const encoders: NamedEncoder[] = [];
  for (const spec of specs) encoders.push(await session.open(spec));
  const counts = encoders.map((named) =>
    out === undefined
      ? undefined
      : CorruptionCounts.open(folderOf(out, named.spec, specs), {
          ...dataSettings(flags, { ...named, source, templates }),
          frost: frost === undefined ? "drawn" : { folder: absolute(frost), files: frostFingerprint(frost) },
        }),
  );
  return {
    measure: async (options) => {
      const opened = encoders.map(({ encoder }) => encoder);
      const found = await evaluateCorruptions(opened, source, {
        ...options,
        ...defined({ corruptions, severities, noise, counts, seed, templates, frost }),
        onProgress: ({ phase, done, total }) =>
          phase === "prompts"
            ? progress.update("prompts", done, total)
            : progress.update("corruptions", done, total, `images  ${phase}`),
      });
      return { ...found, encoders: found.encoders.map((measured, i) => ({ ...measured, encoder: specs[i]! })) };
    },
    stopped: () => keptIn(out, `${counts.reduce((sum, kept) => sum + (kept?.size ?? 0), 0)} accuracies`),
    text: (content) =>
      `${corruptionsTable(content)}\n\n${overImages({ ...content, dataset: data })}; corruptions as in ${content.parameters}`,
    warnings: (content) => warnings.rest(content.warnings),
  };
}

function frostFingerprint(folder: string): string {
  return filesFingerprint(frostFiles.map((file) => join(folder, file)));
}
