import { Command, InvalidArgumentError, Option } from "commander";
import { attackName, type EmbeddingAttack, embeddingAttackNamed, embeddingAttackNames } from "../attacks/index.ts";
import { tellFault } from "../data/index.ts";
import { formatEpsilon } from "../epsilon.ts";
import { UsageError } from "../errors.ts";
import { attackEmbeddings } from "../measure/embedding-attack/index.ts";
import { type AttackedImage, describeAttack, embeddingAttackTable } from "../report/index.ts";
import { counted } from "../words.ts";
import { AttackFolder, fromHere, reservedNames, shown } from "./attack-folder.ts";
import { checkTarget, goalOf } from "./attack-target.ts";
import { Warnings } from "./data.ts";
import { type EncoderFlags, encoderKinds, openEncoder, openingOptions } from "./encoder.ts";
import { type ImageFile, listImages, readImages } from "./image-files.ts";
import { type NamingFlags, nameImages, openNaming } from "./naming.ts";
import { withOptions } from "./option.ts";
import { type ComputeFlags, compileFlags, computeOptions } from "./options.ts";
import { parseCount, parseSize } from "./parsers.ts";
import { ProgressLine } from "./progress.ts";
import { SkipList } from "./skips.ts";

interface Flags extends ComputeFlags, EncoderFlags, NamingFlags {
  readonly encoder: string;
  readonly out: string;
  readonly towards?: string;
  readonly attack: string;
  readonly loss: "l2" | "cosine";
  readonly norm: "linf" | "l2";
  readonly epsilon: number;
  readonly steps?: number;
  readonly restarts?: number;
  readonly float?: true;
  readonly strict?: true;
}

export function attackCommand(): Command {
  const command = new Command("attack")
    .description("perturb images so that an encoder embeds them elsewhere, and save them")
    .argument("<images...>", "image files, or folders of them")
    .requiredOption("--encoder <encoder>", encoderKinds)
    .requiredOption("--out <folder>", "where the perturbed images and a picture of them, attack.png, go")
    .option(
      "--towards <target>",
      "embed them near this image file, or near this text (default: away from their own embeddings)",
    )
    .addOption(new Option("--attack <name>", "the attack").choices(embeddingAttackNames).default("apgd"))
    .addOption(
      new Option("--loss <distance>", "the distance of embeddings").choices(["l2", "cosine"]).default("cosine"),
    )
    .addOption(new Option("--norm <norm>", "the perturbation's norm").choices(["linf", "l2"]).default("linf"))
    .addOption(
      new Option("--epsilon <size>", "size of the perturbation").argParser(parseSize).default(2 / 255, "2/255"),
    )
    .option("--steps <n>", "steps a run (default: pgd 20, apgd 100)", parseCount)
    .option("--restarts <n>", "runs an image, the best counts (default: 1)", parseCount)
    .option("--names <list>", 'say what the images are taken for, zero-shot: "cat,dog,ship"', parseNames)
    .option(
      "--templates <prompts>",
      'prompts of the names: a set (imagenet, cifar10, ...), a file, or one such as "a photo of a {}"',
    )
    .option(
      "--strict",
      "end at the first image that cannot be read, or whatever else is left out, instead of going on without it",
    )
    .option("--float", "save float arrays (perturbed.safetensors) instead of images: nothing is rounded to 8 bits");
  return withOptions(command, { ...openingOptions, ...computeOptions }).action(run);
}

function parseNames(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.includes("")) throw new InvalidArgumentError("It must be names with commas between them.");
  return names;
}

async function run(paths: readonly string[], flags: Flags): Promise<void> {
  const started = performance.now();
  const { out, towards, seed, float, strict } = flags;
  const attack = attackOf(flags);
  const progress = new ProgressLine();
  const warnings = new Warnings(progress);
  const telling = { ...(strict && { strict }), onWarning: warnings.tell };
  const found = listImages(paths, reservedNames);
  for (const { message } of found.remarks) tellFault(message, telling);
  if (towards !== undefined) checkTarget(towards);

  const compute = await compileFlags(flags);
  const encoder = await openEncoder(flags.encoder, flags, progress);
  const naming = await openNaming(encoder, flags, { ...compute, ...telling });
  const skips = new SkipList();
  const { files, pixels: clean } = await readImages(found.files, encoder.framing, { strict, onSkip: skips.add });
  const goal = await goalOf(encoder, towards, { ...compute, ...telling });
  const folder = new AttackFolder(out, float ? "float" : "png");
  folder.prepare(files);

  const { perturbed, images: moved } = await attackEmbeddings(encoder, clean, {
    ...{ ...compute, attack, goal, seed, quantize: !float },
    nameOf: (i) => files[i]!.path,
    onProgress: (done, total) => progress.update("attacking", done, total, "points"),
  });
  const predictions = naming && (await nameImages(encoder, naming, [clean, perturbed], (i) => files[i]!.path, compute));
  progress.end();
  if (`${skips}`) process.stderr.write(`${skips}\n`);
  await folder.save(files, { size: encoder.imageSize, clean, perturbed });
  const images = files.map((file, i): AttackedImage => {
    const [before, after] = predictions?.map((names) => names[i]!) ?? [];
    return { image: file.path, ...moved[i]!, ...(before && after && { prediction: { before, after } }) };
  });
  const seconds = (performance.now() - started) / 1000;
  const skipped = found.files.length - files.length;
  if (flags.json) printJson(flags, attack, { folder, files, images, skipped, seconds });
  else printTable(flags, attack, { folder, images, skipped });
}

/** @throws UsageError when a setting is out of range, or no image file could hold the perturbation */
function attackOf({ attack, loss, norm, epsilon, steps, restarts, float }: Flags): EmbeddingAttack {
  // Less than a level, but for the rounding of 1/255.
  if (!float && epsilon < (1 - 1e-6) / 255) {
    throw new UsageError(
      `--epsilon ${formatEpsilon(epsilon)} is less than one level of an image file, 1/255; to save float arrays instead, give --float.`,
    );
  }
  return embeddingAttackNamed(attack, { epsilon, norm, loss: `embedding-${loss}`, steps, restarts });
}

interface Made {
  readonly folder: AttackFolder;
  readonly images: readonly AttackedImage[];
  /** Images that could not be read. */
  readonly skipped: number;
}

function printJson(
  { encoder, norm, epsilon, towards }: Flags,
  attack: EmbeddingAttack,
  {
    folder,
    files,
    images,
    skipped,
    seconds,
  }: Made & { readonly files: readonly ImageFile[]; readonly seconds: number },
): void {
  const result = {
    ...{ encoder, attack: attackName(attack), norm, epsilon },
    ...(towards !== undefined && { towards }),
    images: images.map(({ image, ...moved }, i) => ({
      image,
      ...(folder.form === "float" ? { tensor: files[i]!.name } : { perturbed: fromHere(folder.fileOf(files[i]!)) }),
      ...moved,
    })),
    skipped,
    ...(folder.form === "float" && { arrays: fromHere(folder.arrays) }),
    picture: fromHere(folder.picture),
    seconds,
  };
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
}

function printTable(
  { out, towards, epsilon }: Flags,
  attack: EmbeddingAttack,
  { folder, images, skipped }: Made,
): void {
  const goal = towards === undefined ? "away from the clean embeddings" : `towards "${towards}"`;
  const lines = [
    embeddingAttackTable(images),
    "",
    `${describeAttack(attack)}, epsilon ${formatEpsilon(epsilon)}; ${goal}`,
    ...(skipped > 0 ? [`Skipped: ${counted(skipped, "image")} that could not be read`] : []),
    folder.form === "float" ? `Arrays:  ${fromHere(folder.arrays)}` : `Images:  ${fromHere(out)}`,
    `Picture: ${fromHere(folder.picture)}${images.length > shown ? `, the first ${shown}` : ""}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}
