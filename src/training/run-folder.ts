import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ChosenBlend } from "../blending/index.ts";
import { UsageError } from "../errors.ts";
import type { Encoder, Parameters } from "../models/encoder.ts";
import { appendLines, readJson, writeAtomically } from "../models/files.ts";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import type { StepMetrics } from "./metrics.ts";
import { checkSameTensors, type State, stateOf } from "./parameters.ts";

/**
 * What a training run leaves on disk: `run.json` (configuration, versions, seed), `metrics.jsonl` (a line a step),
 * `checkpoints/last.safetensors`, `encoder/`, and `blend.json` where the encoder is a blend.
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

  /** The last checkpoint; metrics written after it are dropped, since the steps they describe will be run again. */
  restore(): Checkpoint {
    const checkpoint = readCheckpoint(this.#checkpoint);
    if (existsSync(this.#metrics)) {
      const lines = readFileSync(this.#metrics, "utf8")
        .split("\n")
        .filter((line) => line !== "");
      const kept = lines.slice(0, checkpoint.progress.step).map((line) => `${line}\n`);
      writeAtomically(this.#metrics, kept.join(""));
    }
    return checkpoint;
  }

  /** Everything that training changed, as the last checkpoint has it. */
  restoreTensors(): State {
    return readCheckpoint(this.#checkpoint).tensors;
  }

  get hasCheckpoint(): boolean {
    return existsSync(this.#checkpoint);
  }

  append(metrics: StepMetrics): void {
    appendLines(this.#metrics, [metrics]);
  }

  get #checkpoint(): string {
    return join(this.path, "checkpoints", "last.safetensors");
  }

  get #metrics(): string {
    return join(this.path, "metrics.jsonl");
  }
}

/** A classifier's weights are megabytes as text; their digest says as well whether two runs had the same. */
function arraysAsDigests(_: string, value: unknown): unknown {
  return value instanceof Float32Array ? { sha256: createHash("sha256").update(value).digest("hex") } : value;
}

/** What keeps a path from becoming a run folder, and the first half of what to do about it. */
function whatIsThere(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  if (!statSync(path).isDirectory()) return "is a file. Move it away";
  if (existsSync(join(path, "run.json"))) return "already holds a run. Continue it with --resume";
  return readdirSync(path).length > 0 ? "is not empty. Empty it" : undefined;
}

/**
 * The encoder that training started from with the weights that it ended with, before any blend.
 *
 * @throws UsageError when the folder holds no checkpoint, or one of another encoder
 */
export function trainedEncoder(original: Encoder, run: string): Encoder {
  const theta = stateOf(RunFolder.open(run).restoreTensors(), "theta");
  checkSameTensors(original.parameters, theta);
  return original.withParameters(theta as Parameters);
}

/** What a run folder's `run.json` says. */
export function readRun(path: string): unknown {
  RunFolder.open(path);
  return readJson(join(path, "run.json"));
}
