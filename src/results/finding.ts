import type { Benchmark } from "./benchmark.ts";
import type { Corruptions } from "./corruptions.ts";
import type { Evaluations } from "./evaluation.ts";
import type { Fidelity } from "./fidelity.ts";
import type { Interpretability } from "./interpretability.ts";
import type { Probes } from "./probes.ts";

/** What each kind of measurement comes to. */
export interface Contents {
  readonly evaluation: Evaluations;
  readonly benchmark: Benchmark;
  readonly corruptions: Corruptions;
  readonly probes: Probes;
  readonly fidelity: Fidelity;
  readonly interpretability: Interpretability;
}

export type FindingKind = keyof Contents;

/** Where and with what something was measured. */
export interface Environment {
  /** Package name to version; `node` among them. */
  readonly versions: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
}

/** What a measuring command leaves behind: enough to show it, and to do it again. Plain JSON. */
export interface FindingOf<Kind extends FindingKind> {
  readonly kind: Kind;
  /** What was typed behind `lore`. */
  readonly command: readonly string[];
  /** When it ended, ISO 8601. */
  readonly date: string;
  readonly seconds: number;
  readonly environment: Environment;
  readonly content: Contents[Kind];
}

/** A measurement of any kind; told apart by `kind`. */
export type Finding = { readonly [Kind in FindingKind]: FindingOf<Kind> }[FindingKind];

/** A picture beside a finding. */
export interface Picture {
  /** PNG, relative to the finding's folder. */
  readonly file: string;
  /** What it shows, for those who do not see it. */
  readonly description: string;
}
