import type { SkippedImage } from "../data/index.ts";
import { defined } from "../defined.ts";
import { usualBatch } from "../inference/index.ts";
import { type Contents, type FindingKind, keepFinding } from "../results/index.ts";
import type { CompileOptions } from "../runtime/index.ts";
import { Warnings } from "./data.ts";
import { type EncoderFlags, encodersOption, openEncoder, openingOptions } from "./encoder.ts";
import { stopOnInterrupt } from "./interrupt.ts";
import { option } from "./option.ts";
import { type ComputeFlags, compileFlags, computeOptions, type ReadFlags, readOptions } from "./options.ts";
import { text } from "./parsers.ts";
import { ProgressLine } from "./progress.ts";
import type { NamedEncoder } from "./results.ts";
import { SkipList } from "./skips.ts";

/** Options of all commands that measure encoders. */
export const measuringOptions = {
  encoder: encodersOption,
  ...openingOptions,
  ...readOptions(usualBatch),
  ...computeOptions,
};

export const labelledDataOption = option("--data <data>", text, {
  help: "labelled images, as in lore evaluate",
  topic: "data",
  required: true,
});

/** The folder of the results. */
export function outOption(help = "keep the results there for lore report") {
  return option("--out <folder>", text, { help, topic: "results" });
}

interface MeasuringFlags extends Omit<ComputeFlags, "seed">, ReadFlags, EncoderFlags {
  readonly out?: string;
}

/** Context in which a command prepares its measurement. */
export interface Session {
  readonly progress: ProgressLine;
  readonly warnings: Warnings;
  /** Loads an encoder as the flags say. */
  readonly open: (spec: string) => Promise<NamedEncoder>;
}

/** Options of every measurement: device, images, signal and callbacks. */
export interface MeasuringOptions extends CompileOptions {
  readonly batch: number;
  readonly limit?: number;
  readonly strict?: true;
  readonly signal: AbortSignal;
  readonly onSkip: (skip: SkippedImage) => void;
  readonly onWarning: (message: string) => void;
}

/** A prepared measurement, and the texts about it. */
export interface Measurement<Content> {
  /** Rejects with the signal's reason once that is aborted. */
  readonly measure: (options: MeasuringOptions) => Promise<Content>;
  /** Message after Ctrl-C: the results kept and the way to continue, in a sentence or two. */
  readonly stopped: () => string;
  /** The result as text. */
  readonly text: (content: Content) => string;
  /** The result as JSON. Default: the content itself. */
  readonly json?: (content: Content) => unknown;
  /** Doubts about the result, on stderr. Those shown during the measurement are not repeated. */
  readonly warnings?: (content: Content) => readonly string[];
  /** Lines on stderr that complete the result. */
  readonly notes?: (content: Content) => readonly string[];
}

/**
 * The action of a command that measures: prepares, measures until it is done or interrupted, keeps the finding in `--out`
 * and prints it. Ctrl-C ends it with exit code 130.
 */
export function measuring<Kind extends FindingKind, Flags extends MeasuringFlags>(
  kind: Kind,
  prepare: (flags: Flags, session: Session) => Promise<Measurement<Contents[Kind]>>,
): (flags: Flags) => Promise<void> {
  return async (flags) => {
    const started = performance.now();
    const { batch, limit, strict, out, json } = flags;
    const progress = new ProgressLine();
    const warnings = new Warnings(progress);
    const measurement = await prepare(flags, {
      progress,
      warnings,
      open: async (spec) => ({ spec, encoder: await openEncoder(spec, flags, progress) }),
    });
    const content = await interruptible(progress, async (signal, onSkip) =>
      measurement.measure({
        ...(await compileFlags(flags)),
        ...defined({ batch, limit, strict, signal, onSkip }),
        onWarning: warnings.tell,
      }),
    );
    if (content === undefined) return reportStop(measurement.stopped());
    if (out !== undefined) keepFinding(out, kind, content, { command: process.argv.slice(2), started });
    for (const message of measurement.warnings?.(content) ?? []) warnings.tell(message);
    for (const line of measurement.notes?.(content) ?? []) progress.note(line);
    if (json) printJson(measurement.json ? measurement.json(content) : content);
    else process.stdout.write(`${measurement.text(content)}\n`);
  };
}

/**
 * Runs work that Ctrl-C can end early. Lists the skipped images at the end.
 *
 * @returns undefined if it was interrupted
 */
export async function interruptible<T>(
  progress: ProgressLine,
  work: (signal: AbortSignal, onSkip: (skip: SkippedImage) => void) => Promise<T>,
): Promise<T | undefined> {
  const skips = new SkipList();
  const stop = stopOnInterrupt(() => progress.note("Stopping; press Ctrl-C again to stop at once."));
  try {
    return await work(stop.signal, skips.add);
  } catch (error) {
    if (error === stop.signal.reason) return undefined;
    throw error;
  } finally {
    stop.dispose();
    progress.end();
    if (`${skips}`) process.stderr.write(`${skips}\n`);
  }
}

/** Reports the results that an interrupted command leaves. Sets exit code 130, as shells do. */
export function reportStop(left: string): void {
  process.stderr.write(`Stopped. ${left}\n`);
  process.exitCode = 130;
}

/** A sentence on what `--out` keeps of an interrupted measurement. */
export function keptIn(out: string | undefined, kept: string): string {
  return out === undefined
    ? "Nothing was kept; with --out FOLDER the same command goes on where it was stopped."
    : `${out} keeps ${kept}. Go on with the same command.`;
}

/** The sentence where the cache of embeddings keeps what was computed. */
export const embeddingsKept = "Embeddings made so far are kept; the same command goes on with them.";

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}
