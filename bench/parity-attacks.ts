import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Attack, apgd, fab, square } from "../src/attacks/index.ts";
import { balancedSubset, type ImageSource, openSource } from "../src/data/index.ts";
import { evaluate, type ImageRecord, ResultsFolder } from "../src/measure/accuracy/index.ts";
import { type Encoder, loadEncoder } from "../src/models/index.ts";
import type { Measured } from "./attack-parity-table.ts";
import { type ImageOptions, seed } from "./parity-images.ts";

export const attackNames = ["apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square"] as const;

export type AttackName = (typeof attackNames)[number];

export interface AttackOptions extends ImageOptions {
  /** Size of the l-inf ball, in [0, 1]. */
  readonly epsilon: number;
  /** Square's. */
  readonly queries: number;
}

/** As the command line has it. */
export interface WhatIsAttacked extends AttackOptions {
  readonly encoder: string;
  readonly data: string;
  /** Default: the encoder's own. */
  readonly imageSize?: number;
}

export async function openWhatIsAttacked({ encoder, data, imageSize }: WhatIsAttacked): Promise<{
  readonly encoder: Encoder;
  readonly source: ImageSource;
}> {
  const size = imageSize === undefined ? {} : { imageSize };
  return { encoder: await loadEncoder(encoder, size), source: await openSource(data, { seed }) };
}

/** The reference's `standard` settings. */
export function parityAttack(
  name: AttackName,
  { epsilon, queries }: Pick<AttackOptions, "epsilon" | "queries">,
): Attack {
  switch (name) {
    case "apgd-ce":
      return apgd({ epsilon });
    case "apgd-dlr":
      return apgd({ epsilon, loss: "dlr" });
    case "apgd-t":
      return apgd({ epsilon, loss: "targeted-dlr" });
    case "fab-t":
      return fab({ epsilon });
    case "square":
      return square({ epsilon, queries });
  }
}

/**
 * One attack as `lore evaluate` makes it.
 *
 * @param folder where its results go; must hold none of this attack
 */
export async function measure(
  folder: string,
  encoder: Encoder,
  source: ImageSource,
  name: AttackName,
  options: AttackOptions,
): Promise<Measured> {
  const { epsilon, queries, limit, ...compileOptions } = options;
  const attacks = [parityAttack(name, options)];
  const results = new ResultsFolder(join(folder, `${name} ${epsilon}`), { epsilon, limit, queries });
  if (results.counts.attacked > 0) throw new Error(`${folder}: ${name} was interrupted; remove its folder first.`);
  const result = await evaluate(encoder, source, { ...compileOptions, attacks, limit, seed, results });
  const order = balancedSubset(source, limit, seed);
  const lines = readFileSync(join(folder, `${name} ${epsilon}`, "results.jsonl"), "utf8")
    .trim()
    .split("\n");
  const records = lines.map((line) => JSON.parse(line) as ImageRecord).filter(({ attack }) => attack === name);
  const { accuracy, seconds } = result.attacks[0]!;
  return {
    ...{ attack: name, epsilon, accuracy, seconds },
    right: Math.round(result.clean * result.images),
    points: records.reduce((sum, { iteration = 0 }) => sum + iteration + 1, 0),
    broken: records.filter(({ broken }) => broken).map(({ index }) => order.indexOf(index)),
  };
}
