import { type ImageSource, nativeSize } from "../../data/index.ts";
import { defined } from "../../defined.ts";
import { UsageError } from "../../errors.ts";
import type { DownloadOptions, DownloadProgress } from "../../hub/index.ts";
import type { Encoder } from "../../models/index.ts";
import { atNativeResolution } from "../../models/index.ts";
import type { Benchmark, MissingResult, SetResult } from "../../results/index.ts";
import type { CompileOptions } from "../../runtime/index.ts";
import { type EvaluateOptions, type EvaluationProgress, evaluate, type ResultsFolder } from "../accuracy/index.ts";
import { openSuiteData } from "./data.ts";
import { missingLines } from "./missing.ts";
import { publishedRows } from "./published.ts";
import { type Suite, type SuiteData, suiteEpsilons } from "./suite.ts";

/** An encoder and its name in the table. */
export interface BenchmarkedEncoder {
  readonly name: string;
  readonly encoder: Encoder;
}

/** A set, opened. */
interface OpenedSet {
  readonly set: SuiteData;
  readonly source: ImageSource;
  /** The side of its images in pixels, where they are perturbed as they are. */
  readonly native?: number;
}

/** One encoder on one opened set: all that its numbers depend on. */
export interface BenchmarkPart extends BenchmarkedEncoder, OpenedSet {
  readonly templates?: readonly string[];
  readonly seed: number;
  readonly limit?: number;
}

export interface BenchmarkOptions
  extends CompileOptions,
    Pick<EvaluateOptions, "batch" | "cache" | "strict" | "onSkip">,
    Pick<DownloadOptions, "onWarning" | "signal"> {
  /** Where data sets with ids are looked for before the hub is asked. */
  readonly dataRoot?: string;
  /** Maximum number of images per set. */
  readonly limit?: number;
  /** Overrides the suite's seed. */
  readonly seed?: number;
  /** Published figures for the sets of the suite, beside the measured rows. */
  readonly published?: boolean;
  /** Folder for one encoder's results on one set, from which another call continues. */
  readonly results?: (part: BenchmarkPart) => ResultsFolder | undefined;
  readonly onProgress?: (progress: BenchmarkProgress) => void;
  readonly onDownload?: (set: string, progress: DownloadProgress) => void;
}

export interface BenchmarkProgress extends EvaluationProgress {
  readonly encoder: string;
  readonly set: string;
  /** The set's number in the suite, from 1. */
  readonly position: number;
}

/**
 * Measures encoders on the sets of a suite, set by set. Sets that cannot be opened or classified are left out and listed
 * with the reason in `missing`.
 *
 * @throws UsageError when nothing could be measured, under `strict` when anything could not, or when results that are kept are
 *   of other settings; the signal's reason when that ends it
 */
export async function runBenchmark(
  encoders: readonly BenchmarkedEncoder[],
  suite: Suite,
  options: BenchmarkOptions = {},
): Promise<Benchmark> {
  const results = encoders.map((): SetResult[] => []);
  const missing: MissingResult[] = [];
  const leaveOut = (what: MissingResult): void => {
    if (options.strict) throw new UsageError(missingLines([what]).join());
    missing.push(what);
  };
  for (const [i, set] of suite.sets.entries()) {
    const opened = await orReason(() => openSet(set, options), options);
    if (typeof opened === "string") {
      leaveOut({ set: set.name, reason: opened });
      continue;
    }
    for (const [j, encoder] of encoders.entries()) {
      const part = partOf(encoder, opened, options);
      // Results of other settings abort the benchmark: the set is not missing.
      const kept = options.results?.(part);
      const result = await orReason(() => measure(part, kept, i + 1, options), options);
      if (typeof result === "string") leaveOut({ set: set.name, encoder: encoder.name, reason: result });
      else results[j]!.push(result);
    }
  }
  if (results.every((some) => some.length === 0)) throw nothingMeasured(suite, missing);
  return {
    suite: suite.name,
    sets: suite.sets.map(({ name, title, averaged }) => ({ name, title, averaged })),
    epsilons: suiteEpsilons(suite),
    rows: encoders.map(({ name }, i) => ({ encoder: name, results: results[i]! })),
    published: options.published ? publishedRows(suite) : [],
    missing,
  };
}

/** The action's result, or the reason why it failed. */
async function orReason<T>(action: () => Promise<T>, { signal }: BenchmarkOptions): Promise<T | string> {
  try {
    signal?.throwIfAborted();
    return await action();
  } catch (cause) {
    if (signal?.aborted || !(cause instanceof UsageError)) throw cause;
    return cause.message;
  }
}

async function openSet(set: SuiteData, options: BenchmarkOptions): Promise<OpenedSet> {
  const { dataRoot, signal, onWarning, onDownload } = options;
  const source = await openSuiteData(set, {
    seed: seedOf(set, options),
    ...defined({ dataRoot, signal, onWarning }),
    onProgress: (progress) => onDownload?.(set.name, progress),
  });
  return { set, source, ...(set.resolution === "native" && { native: await nativeSize(source) }) };
}

function seedOf(set: SuiteData, { seed }: BenchmarkOptions): number {
  return seed ?? set.seed ?? 0;
}

function partOf({ name, encoder }: BenchmarkedEncoder, opened: OpenedSet, options: BenchmarkOptions): BenchmarkPart {
  const { set } = opened;
  const limit = Math.min(set.images ?? Infinity, options.limit ?? Infinity);
  // Templates are for encoders that read them; the others have heads.
  const templates = encoder.text ? set.templates : undefined;
  return {
    ...{ ...opened, name, encoder, seed: seedOf(set, options) },
    ...defined({ templates }),
    ...(limit < Infinity && { limit }),
  };
}

async function measure(
  { name, encoder, set, source, native, templates, seed, limit }: BenchmarkPart,
  results: ResultsFolder | undefined,
  position: number,
  options: BenchmarkOptions,
): Promise<SetResult> {
  const { limit: _, results: __, onProgress, dataRoot, published, onDownload, onWarning, ...rest } = options;
  const {
    encoder: _encoder,
    dataset: _dataset,
    ...result
  } = await evaluate(native === undefined ? encoder : atNativeResolution(encoder, native), source, {
    ...rest,
    ...{ attacks: set.attacks, seed },
    // The limit is a maximum: the set may have fewer images.
    ...(limit !== undefined && { limit: Math.min(limit, source.items.length) }),
    ...defined({ templates }),
    ...(native !== undefined && { exact: true }),
    ...defined({ results }),
    onProgress: (progress) => onProgress?.({ ...progress, encoder: name, set: set.name, position }),
  });
  return { set: set.name, ...result };
}

function nothingMeasured({ name, sets }: Suite, missing: readonly MissingResult[]): UsageError {
  const lines = missingLines(missing).map((line) => `\n  ${line}`);
  return new UsageError(`Suite ${name}: none of its ${sets.length} sets could be measured.${lines.join("")}`);
}
