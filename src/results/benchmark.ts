import type { AttackResult } from "./evaluation.ts";

/** One data set of a suite. */
export interface SuiteSet {
  /** `cifar10`, `imagenet-r` ... */
  readonly name: string;
  /** Title in tables: "CIFAR-10". */
  readonly title: string;
  /** Whether it counts in the zero-shot average; ImageNet, which encoders are trained on, does not. */
  readonly averaged: boolean;
}

/** Results of an encoder on one data set. */
export interface SetResult {
  readonly set: string;
  readonly images: number;
  /** Images that could not be read; absent in measurements of earlier versions. */
  readonly skipped?: number;
  readonly classes: number;
  /** Share of correctly classified images, from 0 to 1. */
  readonly clean: number;
  readonly attacks: readonly AttackResult[];
  readonly warnings: readonly string[];
}

export interface BenchmarkRow {
  readonly encoder: string;
  /** One per measured data set. */
  readonly results: readonly SetResult[];
}

/** Figures that others published, for sets of the suite. */
export interface PublishedRow {
  readonly encoder: string;
  /** "LORE, table 11" ... */
  readonly source: string;
  readonly accuracies: readonly PublishedAccuracies[];
}

export interface PublishedAccuracies {
  /** In 1/255; 0 for clean. */
  readonly epsilon: number;
  /** Set name to accuracy from 0 to 1; empty where only an average was published. */
  readonly bySet: Readonly<Record<string, number>>;
  /** Average as printed, from 0 to 1; present only if it is over exactly the sets that the suite averages over. */
  readonly average?: number;
}

/** A set that was left out, for all encoders or for one. */
export interface MissingResult {
  readonly set: string;
  /** Absent where it is missing for all. */
  readonly encoder?: string;
  readonly reason: string;
}

export interface Benchmark {
  readonly suite: string;
  readonly sets: readonly SuiteSet[];
  /** Epsilons in pixel units of [0, 1]. */
  readonly epsilons: readonly number[];
  readonly rows: readonly BenchmarkRow[];
  readonly published: readonly PublishedRow[];
  /** Sets left out, and the reasons. */
  readonly missing: readonly MissingResult[];
}
