import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type ImageSource, type SourceFingerprint, sourceChange, sourceFingerprint } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { describeFraming, type Framing } from "../framing.ts";
import type { Encoder } from "../models/index.ts";
import { encoderDigest } from "../models/index.ts";
import type { Objective } from "../objectives/index.ts";
import type { TrainingSettings } from "./settings.ts";

/** Everything that a run's result depends on, saved in its `run.json`. A resumed run must have the same. */
export interface RunFingerprint {
  readonly data: SourceFingerprint;
  /** SHA-256 of weights, architecture, image size, normalisation, head and text tower. */
  readonly encoder: string;
  /** Framing of images; absent in runs of earlier versions. */
  readonly framing?: Framing;
  /** SHA-256 of the objective, with the weights of a classifier. */
  readonly objective: string;
  /** Settings, without those that only say how the work is divided. */
  readonly settings: Readonly<Record<string, unknown>>;
}

export function runFingerprint(
  encoder: Encoder,
  source: ImageSource,
  objective: Objective,
  { microBatch: _, memory: __, recompute: ___, ...settings }: TrainingSettings,
): RunFingerprint {
  return {
    data: sourceFingerprint(source),
    encoder: encoderDigest(encoder),
    framing: encoder.framing,
    objective: createHash("sha256").update(JSON.stringify(objective, arraysAsDigests)).digest("hex"),
    settings: { ...settings },
  };
}

/**
 * @param path path of the run, for messages
 * @param saved content of its `run.json`
 * @throws UsageError when encoder, data, objective or settings differ from those the run began with
 */
export function checkResumed(
  path: string,
  saved: unknown,
  now: RunFingerprint,
  onWarning: ((message: string) => void) | undefined,
): void {
  const before = (saved as { readonly fingerprint?: RunFingerprint } | null)?.fingerprint;
  if (before === undefined) {
    onWarning?.(
      `${path} was begun by a version that kept no fingerprint: nothing says whether encoder and data are the same.`,
    );
    return;
  }
  const change = changeOf(before, now);
  if (change === undefined) return;
  throw new UsageError(
    `${path} cannot be resumed: ${change}. A run goes on with the encoder, data and settings that it began with: restore ` +
      "them, or begin a new run.",
  );
}

function changeOf(before: RunFingerprint, now: RunFingerprint): string | undefined {
  if (before.encoder !== now.encoder)
    return "it began with another encoder (other weights, architecture, image size or normalisation)";
  if (before.framing !== undefined && !isDeepStrictEqual(before.framing, now.framing))
    return `it began with images prepared otherwise (${describeFraming(before.framing)}), by what lies beside the encoder`;
  const data = sourceChange(before.data, now.data);
  if (data !== undefined) return `it began with other data: ${data}`;
  if (before.objective !== now.objective)
    return "it began with another objective (attack, constraint, dual, or the classifier: classes and templates)";
  const settings: Readonly<Record<string, unknown>> = JSON.parse(JSON.stringify(now.settings));
  const names = [...new Set([...Object.keys(before.settings), ...Object.keys(settings)])];
  const other = names.filter((name) => before.settings[name] !== settings[name]);
  return other.length === 0 ? undefined : `it began with other settings (${other.join(", ")})`;
}

/** JSON replacer that writes digests of arrays. A classifier's weights would be megabytes as text. */
export function arraysAsDigests(_: string, value: unknown): unknown {
  return value instanceof Float32Array ? { sha256: createHash("sha256").update(value).digest("hex") } : value;
}
