import type { Benchmark } from "./benchmark.ts";
import type { Corruptions } from "./corruptions.ts";
import type { Evaluations } from "./evaluation.ts";
import type { Fidelity } from "./fidelity.ts";
import type { Interpretability } from "./interpretability.ts";
import type { Probes } from "./probes.ts";

/** Contents of each kind of measurement. */
export interface Contents {
  readonly evaluation: Evaluations;
  readonly benchmark: Benchmark;
  readonly corruptions: Corruptions;
  readonly probes: Probes;
  readonly fidelity: Fidelity;
  readonly interpretability: Interpretability;
}

export type FindingKind = keyof Contents;

/** Machine and software of a measurement. */
export interface Environment {
  /** Package name to version; `node` among them. */
  readonly versions: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
}

/** Record of a measuring command: enough to show it, and to repeat it. Plain JSON. */
export interface FindingOf<Kind extends FindingKind> {
  readonly kind: Kind;
  /** Arguments typed after `lore`. */
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
  /** Alternative text of the picture. */
  readonly description: string;
}
