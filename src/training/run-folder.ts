import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ChosenBlend } from "../blending/index.ts";
import { UsageError } from "../errors.ts";
import { appendLines, jsonFile, readJson, readLines, writeAtomically } from "../files.ts";
import type { Encoder, Parameters } from "../models/index.ts";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import type { RecordedRecognition } from "./judge.ts";
import type { StepMetrics } from "./metrics.ts";
import { checkSameTensors, type State, stateOf } from "./parameters.ts";
import { arraysAsDigests, checkResumed, type RunFingerprint } from "./resumable.ts";

/**
 * Folder of a training run: `run.json` (configuration, versions, seed), `metrics.jsonl` (one line per step),
 * `recognition.jsonl` (one line per recognition check), `checkpoints/last.safetensors`, `encoder/`, and `blend.json` if
 * the encoder is a blend.
 */
export class RunFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** @throws UsageError when the folder holds a run already, or anything else, or cannot be made */
  static create(path: string, description: object): RunFolder {
    const taken = whatIsThere(path);
    if (taken) throw new UsageError(`${path} ${taken}, or give another --out; nothing was overwritten.`);
    try {
      writeAtomically(join(path, "run.json"), `${JSON.stringify(description, arraysAsDigests, 2)}\n`);
    } catch (cause) {
      throw new UsageError(`The run folder cannot be made: ${cause instanceof Error ? cause.message : cause}`, {
        cause,
      });
    }
    return new RunFolder(path);
  }

  /** @throws UsageError when the folder holds no run */
  static open(path: string): RunFolder {
    if (!existsSync(join(path, "run.json")))
      throw new UsageError(`${path} holds no run to resume: run.json is missing.`);
    return new RunFolder(path);
  }

  /**
   * Opens a run to resume it. A run without a step so far may have different data, such as repaired files.
   *
   * @throws UsageError when the folder holds no run, or one of other data, another encoder or other settings
   */
  static resume(path: string, now: RunFingerprint, onWarning?: (message: string) => void): RunFolder {
    const description = readRun(path);
    const run = new RunFolder(path);
    if (existsSync(run.#metrics)) checkResumed(path, description, now, onWarning);
    else writeAtomically(...jsonFile(join(path, "run.json"), { ...(description as object), fingerprint: now }));
    return run;
  }

  get encoder(): string {
    return join(this.path, "encoder");
  }

  /** Original embeddings, during training only. */
  get embeddings(): string {
    return join(this.path, "original-embeddings.bin");
  }

  /** Writes how the encoder was blended towards the original to `blend.json`. */
  describeBlend(chosen: ChosenBlend): void {
    writeAtomically(join(this.path, "blend.json"), `${JSON.stringify(chosen, undefined, 2)}\n`);
  }

  save(checkpoint: Checkpoint): void {
    writeCheckpoint(this.#checkpoint, checkpoint);
  }

  /** Reads the last checkpoint. Metrics written after it are dropped, since their steps will run again. */
  restore(): Checkpoint {
    const checkpoint = readCheckpoint(this.#checkpoint);
    if (existsSync(this.#metrics)) {
      const lines = readFileSync(this.#metrics, "utf8")
        .split("\n")
        .filter((line) => line !== "");
      const kept = lines.slice(0, checkpoint.progress.step).map((line) => `${line}\n`);
      writeAtomically(this.#metrics, kept.join(""));
    }
    this.keepRecognition(checkpoint.progress.step);
    return checkpoint;
  }

  /** Everything that training changes, from the last checkpoint. */
  restoreTensors(): State {
    return readCheckpoint(this.#checkpoint).tensors;
  }

  get hasCheckpoint(): boolean {
    return existsSync(this.#checkpoint);
  }

  /** The last lines of metrics, up to `count`. */
  recentMetrics(count: number): readonly StepMetrics[] {
    return readLines<StepMetrics>(this.#metrics, leaveOut).slice(-count);
  }

  /** Drops the metrics of an abandoned attempt. */
  beginAgain(): void {
    rmSync(this.#metrics, { force: true });
    this.keepRecognition(0);
  }

  /** Recognition of held-out images so far. */
  recognition(): readonly RecordedRecognition[] {
    return readLines(this.#recognition, leaveOut);
  }

  /** Drops the records after a step, and those of the encoder saved at the end. */
  keepRecognition(upTo: number): void {
    const kept = this.recognition().filter(({ step, when }) => step <= upTo && when !== "after");
    if (existsSync(this.#recognition))
      writeAtomically(this.#recognition, kept.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  appendRecognition(recorded: RecordedRecognition): void {
    appendLines(this.#recognition, [recorded]);
  }

  append(metrics: StepMetrics): void {
    appendLines(this.#metrics, [metrics]);
  }

  get #checkpoint(): string {
    return join(this.path, "checkpoints", "last.safetensors");
  }

  get #recognition(): string {
    return join(this.path, "recognition.jsonl");
  }

  get #metrics(): string {
    return join(this.path, "metrics.jsonl");
  }
}

/** A line that a crash cut short: what it described is done again. */
const leaveOut = (): void => {};

/** The reason why a path cannot become a run folder, and the first half of the advice. */
function whatIsThere(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isDirectory()) return "is a file. Move it away";
  if (existsSync(join(path, "run.json"))) return "already holds a run. Continue it with --resume";
  return readdirSync(path).length > 0 ? "is not empty. Empty it" : undefined;
}

/**
 * The original encoder with the final weights of training, before any blend.
 *
 * @throws UsageError when the folder holds no checkpoint, or one of another encoder
 */
export function trainedEncoder(original: Encoder, run: string): Encoder {
  const theta = stateOf(RunFolder.open(run).restoreTensors(), "theta");
  checkSameTensors(original.parameters, theta);
  return original.withParameters(theta as Parameters);
}

/** Content of a run folder's `run.json`. */
export function readRun(path: string): unknown {
  RunFolder.open(path);
  return readJson(join(path, "run.json"));
}
