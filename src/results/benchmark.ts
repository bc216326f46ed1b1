import type { AttackResult } from "./evaluation.ts";

/** One data set of a suite. */
export interface SuiteSet {
  /** `cifar10`, `imagenet-r` ... */
  readonly name: string;
  /** As tables have it: "CIFAR-10". */
  readonly title: string;
  /** Whether it counts in the zero-shot average; ImageNet, which encoders are trained on, does not. */
  readonly averaged: boolean;
}

/** What an encoder made of one data set. */
export interface SetResult {
  readonly set: string;
  readonly images: number;
  /** Images that could not be read; absent in measurements of earlier versions. */
  readonly skipped?: number;
  readonly classes: number;
  /** Share of images classified rightly, from 0 to 1. */
  readonly clean: number;
  readonly attacks: readonly AttackResult[];
  readonly warnings: readonly string[];
}

export interface BenchmarkRow {
  readonly encoder: string;
  /** One a data set, those that were measured. */
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
  /** As printed, from 0 to 1; only where it is over just the sets that the suite averages over. */
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
  /** What was left out, and why. */
  readonly missing: readonly MissingResult[];
}
