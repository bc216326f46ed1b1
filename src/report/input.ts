import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { type Finding, holdsFinding, readFinding } from "../results/index.ts";
import type { StepMetrics } from "../training/index.ts";
import { readRun } from "../training/index.ts";

/** A training run, as its folder tells of it. */
export interface TrainingRun {
  readonly folder: string;
  /** What `run.json` says. */
  readonly description: unknown;
  /** A line a step. */
  readonly metrics: readonly StepMetrics[];
}

/** A measurement and where it lies, since its pictures lie beside it. */
export interface KeptFinding {
  readonly folder: string;
  readonly finding: Finding;
}

/** What a report is about. */
export interface ReportInput {
  readonly runs: readonly TrainingRun[];
  readonly findings: readonly KeptFinding[];
}

/**
 * Reads run folders of `lore train` and folders that commands kept a measurement in with `--out`.
 *
 * @throws UsageError for a folder that is neither, or that cannot be read
 */
export function readReportInput(folders: readonly string[]): ReportInput {
  const unique = [...new Set(folders)];
  for (const folder of unique) if (!isRun(folder) && !holdsFinding(folder)) throw unknownFolder(folder);
  return {
    runs: unique.filter(isRun).map(readTraining),
    findings: unique.filter(holdsFinding).map((folder) => ({ folder, finding: readFinding(folder) })),
  };
}

function isRun(folder: string): boolean {
  return existsSync(join(folder, "run.json"));
}

function unknownFolder(folder: string): UsageError {
  if (!existsSync(folder)) return new UsageError(`${folder} does not exist.`);
  return new UsageError(
    `${folder} is neither a run of lore train (run.json) nor holds a measurement (finding.json). ` +
      "Measurements are kept by lore evaluate, benchmark, corruptions and the like with --out FOLDER, once they are finished.",
  );
}

function readTraining(folder: string): TrainingRun {
  const path = join(folder, "metrics.jsonl");
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return {
    folder,
    description: readRun(folder),
    metrics: lines.filter(Boolean).map((line, i) => parsed(line, path, i)),
  };
}

function parsed(line: string, path: string, index: number): StepMetrics {
  try {
    return JSON.parse(line) as StepMetrics;
  } catch (cause) {
    throw new UsageError(`${path}, line ${index + 1}, is no JSON; remove the line, or resume the run.`, { cause });
  }
}
