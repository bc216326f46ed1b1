import { join } from "node:path";
import { defined } from "../defined.ts";
import { writeAtomically } from "../files.ts";
import { openTemplates } from "../inference/index.ts";
import { type Interpreted, interpret, KeptInterpretation } from "../measure/interpretability/index.ts";
import { interpretabilityTables, overImages, saliencyPicture, synthesisPicture } from "../report/index.ts";
import type { Interpretability, Picture } from "../results/index.ts";
import { command } from "./command.ts";
import { openData } from "./data.ts";
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
import { parseCount, text } from "./parsers.ts";
import { dataSettings, folderOf, type NamedEncoder } from "./results.ts";
import { readTexts } from "./texts.ts";

const options = {
  ...measuringOptions,
  data: labelledDataOption,
  classes: classesOption,
  templates: option("--templates <prompts>", text, {
    help: "prompts for the alignment: a set (imagenet, cifar10, ...), a file, or one (default: 150 that ship with lore)",
    topic: "data",
  }),
  texts: option("--texts <file>", text, {
    help: "file of texts, one per line, among which an image's nearest are found (default: the classes)",
    topic: "data",
  }),
  towards: list("--towards <text...>", {
    help: "make an image towards each of these by gradient ascent; without a text tower, towards the class of that name (default: the first six classes)",
    topic: "results",
  }),
  images: option("--images <n>", parseCount, {
    help: "images in the picture of saliency and the lists of nearest texts",
    topic: "results",
    default: "4",
  }),
  out: outOption(
    "keep the results there for lore report, with saliency.png and synthesis.png; go on where an earlier call stopped",
  ),
};

type InterpretFlags = Flags<typeof options>;

export function interpretCommand() {
  return command({
    name: "interpret",
    description: "show what encoders see: alignment with texts, saliency, flips, images made towards a text",
    options,
    essentials: ["encoder", "data", "towards", "images", "out"],
    examples: [
      "interpret --encoder openai/clip-vit-base-patch32 runs/lore --data pets --out results/interpret",
      'interpret --encoder runs/lore --data pets --towards "a cat" "a dog" --out results/interpret',
    ],
    run: measuring("interpretability", prepare),
  });
}

async function prepare(flags: InterpretFlags, session: Session): Promise<Measurement<Interpretability>> {
  const { encoder: specs, data, seed, out, towards, images: shown } = flags;
  const { progress, warnings } = session;
  const source = await openData(data, flags, warnings);
  const templates = flags.templates === undefined ? undefined : openTemplates(flags.templates);
  const texts = flags.texts === undefined ? undefined : readTexts(flags.texts);
  const encoders: NamedEncoder[] = [];
  for (const spec of specs) encoders.push(await session.open(spec));
  const kept = encoders.map((named) =>
    out === undefined
      ? undefined
      : KeptInterpretation.open(folderOf(out, named.spec, specs), {
          ...dataSettings(flags, { ...named, source, templates }),
          ...{ texts, towards, shown },
        }),
  );
  return {
    measure: async (options) => {
      const opened = encoders.map(({ encoder }) => encoder);
      const found = await interpret(opened, source, {
        ...options,
        ...defined({ seed, shown, kept, templates, texts, towards }),
        onProgress: ({ phase, encoder, done, total }) => progress.update(`${phase}, ${encoder}`, done, total),
      });
      const { views: _, towards: __, ...numbers } = found;
      return {
        ...numbers,
        encoders: numbers.encoders.map((measured, i) => ({ ...measured, encoder: specs[i]! })),
        pictures: out === undefined ? [] : await keepPictures(out, found, specs),
      };
    },
    stopped: () =>
      keptIn(out, `what was found of ${kept.filter((folder) => folder?.found).length} of ${specs.length} encoders`),
    text: (content) => describe(flags, content),
  };
}

async function keepPictures(out: string, found: Interpreted, specs: readonly string[]): Promise<readonly Picture[]> {
  const { views, towards } = found;
  const drawn = [await saliencyPicture(views, specs), await synthesisPicture(views, specs, towards)];
  return drawn.map(({ name, png, description }) => {
    const file = `${name}.png`;
    writeAtomically(join(out, file), png);
    return { file, description };
  });
}

function describe({ data, out }: InterpretFlags, content: Interpretability): string {
  const { templates, encoders, pictures } = content;
  const facts = `${overImages({ ...content, dataset: data })}${templates > 0 ? `, ${templates} templates` : ""}`;
  return [interpretabilityTables(encoders), "", facts, ...pictures.map(({ file }) => join(out!, file))].join("\n");
}
