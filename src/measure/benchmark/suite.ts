import type { Attack, AutoAttack } from "../../attacks/index.ts";
import type { SuiteSet } from "../../results/index.ts";

/** A data set of a suite and the measurements to make on it. */
export interface SuiteData extends SuiteSet {
  /**
   * `synthetic:...`, an absolute path, CLIP_benchmark's id (`wds/vtab/cifar10`) or a hub id (`owner/name`); see
   * `openSuiteData`.
   */
  readonly data: string;
  /** The part of a data set with an id. */
  readonly split: string;
  /** Class names in the order of the labels, or a file of them; default: the data's own. */
  readonly classes?: readonly string[] | { readonly file: string };
  /** Prompt templates with `{}`; default: the data's own. */
  readonly templates?: readonly string[];
  /** One per epsilon. Empty: clean accuracy only. */
  readonly attacks: readonly (Attack | AutoAttack)[];
  /** Maximum number of images, taken class by class in turn. Default: all. */
  readonly images?: number;
  /** Seed for the choice of images and for the attacks. */
  readonly seed?: number;
  /** Whether images are perturbed as the encoder takes them, or as they are in the file. */
  readonly resolution: "encoder" | "native";
}

/** Data sets that encoders are measured on together. */
export interface Suite {
  readonly name: string;
  readonly sets: readonly SuiteData[];
}

/** The sizes of a suite's attacks in pixel units, in ascending order. */
export function suiteEpsilons({ sets }: Suite): readonly number[] {
  const all = sets.flatMap(({ attacks }) => attacks.map(({ epsilon }) => epsilon));
  return [...new Set(all)].sort((a, b) => a - b);
}
