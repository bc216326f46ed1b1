import type { Attack, AutoAttack } from "../attacks/index.ts";
import { nativeSize } from "../data/index.ts";
import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import { openTemplates } from "../inference/index.ts";
import { evaluate, type Outcomes, paired } from "../measure/accuracy/index.ts";
import { headFor, readHead } from "../measure/probes/index.ts";
import type { Encoder } from "../models/index.ts";
import { atNativeResolution, encoderFolder, recordEvaluation, withHead } from "../models/index.ts";
import { describeAttack, evaluationTable, overImages } from "../report/index.ts";
import type { Evaluation, Evaluations, PicturedExample } from "../results/index.ts";
import { attackOptions, attacksOf } from "./attacks.ts";
import { command } from "./command.ts";
import { openData } from "./data.ts";
import { keepExamples } from "./examples.ts";
import {
  keptIn,
  type Measurement,
  type MeasuringOptions,
  measuring,
  measuringOptions,
  outOption,
  type Session,
} from "./measuring.ts";
import { type Flags, flag, option } from "./option.ts";
import { classesOption } from "./options.ts";
import { oneOf, parseCount, parseSeed, text } from "./parsers.ts";
import { folderOf, type NamedEncoder, openResults } from "./results.ts";

const options = {
  ...measuringOptions,
  data: option("--data <data>", text, {
    help: "labelled images: a folder with one sub-folder per class, WebDataset tars, Parquet files, or synthetic[:COUNT[:SPLIT[:LABEL]]]",
    topic: "data",
    required: true,
  }),
  classes: classesOption,
  offset: option("--offset <n>", parseSeed, {
    help: "skip this many images first, so that what was chosen on them is reported on others",
    topic: "data",
    default: "0",
  }),
  templates: option("--templates <prompts>", text, {
    help: 'zero-shot: prompts of the class names: a set (imagenet, cifar10, ...), a file, or one such as "a photo of a {}" (default: the data\'s own)',
    topic: "data",
  }),
  head: option("--head <file>", text, {
    help: "a linear head that lore probe --save-head wrote, for all of the encoders",
    topic: "encoder",
  }),
  ...attackOptions,
  attackResolution: option("--attack-resolution <which>", oneOf(["encoder", "native"]), {
    help: "perturb the resized image, or the file's own pixels",
    topic: "attack",
    default: "encoder",
  }),
  surrogate: option("--surrogate <encoder>", text, {
    help: "make the attacks on this encoder instead (transfer)",
    topic: "attack",
  }),
  quantize: flag("--quantize", {
    help: "round adversarial images to 8 bits, as an image file does, while they are searched for",
    topic: "attack",
  }),
  card: flag("--card", {
    help: "write what was measured into the encoders' model cards (saved encoders and run folders)",
    topic: "results",
  }),
  out: outOption(
    "keep each image's results there, and go on where an earlier call stopped; lore report shows the folder",
  ),
  examples: option("--examples <n>", parseCount, {
    help: "picture this many images under the last attack in --out, for lore report",
    topic: "results",
  }),
  saveAdversarial: flag("--save-adversarial", {
    help: "also keep the adversarial images in --out, as float arrays (safetensors)",
    topic: "results",
  }),
};

type EvaluateFlags = Flags<typeof options>;

export function evaluateCommand() {
  return command({
    name: "evaluate",
    description: "measure accuracy, clean and under attack, with the encoder's fixed head or zero-shot",
    options,
    essentials: ["encoder", "data", "attack", "epsilon", "limit"],
    examples: [
      "evaluate runs/lore pets --attack pgd --epsilon 2/255 --limit 500",
      "evaluate --encoder original robust --data pets --attack autoattack --limit 200 --out results/pets",
    ],
    run: measuring("evaluation", prepare),
  });
}

async function prepare(flags: EvaluateFlags, session: Session): Promise<Measurement<Evaluations>> {
  const { data, seed, card, encoder: specs, out, offset, quantize } = flags;
  const attacks = attacksOf(flags);
  checkTogether(flags, attacks);
  // Checked now, not after hours of measuring.
  if (card) specs.forEach(encoderFolder);
  const { progress, warnings } = session;
  const opened = await openData(data, flags, warnings);
  const { head, source } = flags.head === undefined ? { source: opened } : headFor(readHead(flags.head), opened);
  const templates = flags.templates === undefined ? undefined : openTemplates(flags.templates);
  const native = flags.attackResolution === "native" ? await nativeSize(source) : undefined;
  const open = async (spec: string): Promise<NamedEncoder> => {
    const { encoder } = await session.open(spec);
    return { spec, encoder: head ? withHead(encoder, head) : encoder };
  };
  const sized = (encoder: Encoder): Encoder => (native === undefined ? encoder : atNativeResolution(encoder, native));
  const surrogate = flags.surrogate === undefined ? undefined : await open(flags.surrogate);
  const encoders: NamedEncoder[] = [];
  for (const spec of specs) encoders.push(await open(spec));
  const kept = encoders.map((named) =>
    out === undefined
      ? undefined
      : openResults(folderOf(out, named.spec, specs), flags, { ...named, surrogate, source, templates, attacks }),
  );
  const settings = settingsOf(flags, attacks, source.classes?.length);

  const measureOne = async (i: number, common: MeasuringOptions): Promise<Measured> => {
    const { spec, encoder } = encoders[i]!;
    let outcomes: Outcomes | undefined;
    const result = await evaluate(sized(encoder), source, {
      ...common,
      ...defined({ offset, seed, quantize, attacks, templates, results: kept[i] }),
      ...defined({
        surrogate: surrogate && sized(surrogate.encoder),
        exact: native === undefined ? undefined : (true as const),
      }),
      onOutcomes: (found) => {
        outcomes = found;
      },
      onProgress: ({ phase, done, total, points }) =>
        progress.update(`${spec} ${phase}`, done, total, points === undefined ? "" : `${points} points`),
    });
    if (card) recordEvaluation(encoder, encoderFolder(spec), result);
    return { result, outcomes };
  };
  const picture = async ({ spec, encoder }: NamedEncoder, folder: string, count: number, common: MeasuringOptions) => {
    progress.update(`${spec} examples`, 0, count);
    const { device, precision, threads } = common;
    return keepExamples(folder, { spec, encoder }, source, attacks.at(-1)!, {
      ...defined({ device, precision, threads, templates }),
      ...{ count, seed, specs },
    });
  };

  return {
    measure: async (common) => {
      const measured: Measured[] = [];
      const examples: PicturedExample[] = [];
      for (const [i, named] of encoders.entries()) {
        measured.push(await measureOne(i, common));
        if (out !== undefined && flags.examples !== undefined)
          examples.push(...(await picture(named, out, flags.examples, common)));
      }
      return { evaluations: compared(measured, specs), settings, examples };
    },
    stopped: () => {
      const sum = (name: "images" | "attacked"): number =>
        kept.reduce((total, results) => total + (results?.counts[name] ?? 0), 0);
      return keptIn(out, `${sum("images")} clean predictions and ${sum("attacked")} results of attacks`);
    },
    text: ({ evaluations }) => {
      const facts = [overImages({ ...evaluations[0]!, dataset: data }), ...settings];
      return `${evaluationTable(evaluations)}\n\n${facts.join("; ")}\nIn brackets: 95 % intervals.`;
    },
    json: ({ evaluations }) => (evaluations.length === 1 ? evaluations[0] : evaluations),
    warnings: ({ evaluations }) =>
      evaluations.flatMap((found) => warnings.rest(found.warnings, evaluations.length > 1 ? `${found.encoder}: ` : "")),
  };
}

interface Measured {
  readonly result: Evaluation;
  readonly outcomes: Outcomes | undefined;
}

/** Evaluations by their names on the command line, each but the first compared with the first, image by image. */
function compared(measured: readonly Measured[], specs: readonly string[]): readonly Evaluation[] {
  const first = measured[0]?.outcomes;
  return measured.map(({ result, outcomes }, i) => {
    const beside = i > 0 && first && outcomes && paired(specs[0]!, first, outcomes, result.images);
    return { ...result, encoder: specs[i]!, ...(beside && { paired: beside }) };
  });
}

/** @throws UsageError when flags contradict each other */
function checkTogether(flags: EvaluateFlags, attacks: readonly unknown[]): void {
  const { quantize, surrogate, saveAdversarial, examples, out, card, head, templates } = flags;
  if (head !== undefined && templates !== undefined)
    throw new UsageError("--head and --templates each choose the classifier: give one of them.");
  if (attacks.length === 0) {
    const idle = [
      quantize && "--quantize",
      surrogate && "--surrogate",
      saveAdversarial && "--save-adversarial",
      examples !== undefined && "--examples",
    ];
    const [flag] = idle.filter(Boolean);
    if (flag) throw new UsageError(`${flag} needs an attack: give one with --attack.`);
  }
  if (saveAdversarial && out === undefined)
    throw new UsageError("--save-adversarial needs --out FOLDER, where the images go.");
  if (examples !== undefined) checkExamples(flags);
  if (card && (surrogate !== undefined || quantize))
    throw new UsageError(
      `--card does not go with ${quantize ? "--quantize" : "--surrogate"}: a card reports attacks on the encoder itself, on any pixels.`,
    );
}

/** @throws UsageError when no pictures can be made, or they would show another attack than the one measured */
function checkExamples({ out, surrogate, quantize, attackResolution }: EvaluateFlags): void {
  if (out === undefined) throw new UsageError("--examples needs --out FOLDER, where the pictures go.");
  const other = [
    surrogate !== undefined && "--surrogate",
    quantize && "--quantize",
    attackResolution === "native" && "--attack-resolution native",
  ].find(Boolean);
  if (other)
    throw new UsageError(`--examples does not go with ${other}: pictures are of attacks on the encoder itself.`);
}

/** The settings of the attacks, in words. */
function settingsOf(
  { surrogate, quantize, attackResolution }: EvaluateFlags,
  attacks: readonly (Attack | AutoAttack)[],
  classes: number | undefined,
): readonly string[] {
  return [
    ...new Set(attacks.map((attack) => describeAttack(attack, classes))),
    ...(surrogate === undefined ? [] : [`made on ${surrogate}`]),
    ...(attackResolution === "native" ? ["on the files' own pixels"] : []),
    ...(quantize ? ["rounded to 8 bits"] : []),
  ];
}
