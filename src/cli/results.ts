import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Attack, AutoAttack } from "../attacks/index.ts";
import { type ImageSource, sourceFingerprint } from "../data/index.ts";
import { sameFraming, usualFraming } from "../framing.ts";
import { ResultsFolder } from "../measure/accuracy/index.ts";
import type { Encoder } from "../models/index.ts";
import { encoderDigest } from "../models/index.ts";

export interface ResultsFlags {
  readonly data: string;
  readonly classes?: string;
  readonly limit?: number;
  readonly offset?: number;
  readonly seed: number;
  readonly attackResolution: string;
  readonly activation?: string;
  readonly quantize?: true;
  readonly saveAdversarial?: true;
}

/** An encoder and its name on the command line. */
export interface NamedEncoder {
  readonly spec: string;
  readonly encoder: Encoder;
}

/** The parts of an evaluation, opened. */
export interface Measured extends NamedEncoder {
  readonly surrogate?: NamedEncoder | undefined;
  readonly source: ImageSource;
  readonly templates?: readonly string[] | undefined;
  readonly attacks: readonly (Attack | AutoAttack)[];
}

/**
 * The folder that keeps one encoder's results.
 *
 * @throws UsageError when it holds results of other settings
 */
export function openResults(folder: string, flags: ResultsFlags, measured: Measured): ResultsFolder {
  const { saveAdversarial = false } = flags;
  return new ResultsFolder(folder, settingsOf(flags, measured), { saveAdversarial });
}

/** An encoder's own folder among those of several. */
export function folderOf(out: string, spec: string, specs: readonly string[]): string {
  return specs.length === 1 ? out : join(out, folderNameOf(spec));
}

/** The name of an encoder's folder. */
export function folderNameOf(spec: string): string {
  return spec.replace(/[^\w.@]+/g, "-").replace(/^[-.]+/, "") || "encoder";
}

/** Everything that an evaluation's numbers depend on. */
function settingsOf(flags: ResultsFlags, measured: Measured): Readonly<Record<string, unknown>> {
  const { attackResolution, quantize = false } = flags;
  const { surrogate, attacks } = measured;
  return {
    ...dataSettings(flags, measured),
    surrogate: surrogate && described(surrogate),
    attackResolution,
    quantize,
    attacks,
  };
}

/**
 * Everything that the numbers of any measurement depend on: the encoder, the images and their classes. Files are named for
 * people; what they hold counts by its digest.
 */
export function dataSettings(
  {
    data,
    classes,
    limit,
    offset,
    seed,
    activation,
  }: Pick<ResultsFlags, "data" | "classes" | "limit" | "offset" | "seed" | "activation">,
  { encoder, spec, source, templates }: Pick<Measured, "encoder" | "spec" | "source" | "templates">,
): Readonly<Record<string, unknown>> {
  return {
    encoder: described({ spec, encoder }),
    data: absolute(data),
    images: sourceFingerprint(source),
    classesFile: classes && absolute(classes),
    templates: templates ?? (encoder.text && source.templates),
    limit,
    ...(offset && { offset }),
    seed,
    imageSize: encoder.imageSize,
    // Absent for the usual framing.
    framing: sameFraming(encoder.framing, usualFraming(encoder.imageSize)) ? undefined : encoder.framing,
    activation,
  };
}

function described({ spec, encoder }: NamedEncoder) {
  return { spec: absolute(spec), sha256: encoderDigest(encoder) };
}

/** Makes the path of an existing file absolute. Other specs, such as hub ids, stay as they are. */
export function absolute(path: string): string {
  return existsSync(path) ? resolve(path) : path;
}
