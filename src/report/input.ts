import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { readJson, readLines } from "../files.ts";
import { type BlendFront, type Finding, holdsFinding, type Picture, readFinding } from "../results/index.ts";
import type { RecordedRecognition, StepMetrics } from "../training/index.ts";
import { readRun } from "../training/index.ts";
import { counted } from "../words.ts";

/** A training run, as its folder tells of it. */
export interface TrainingRun {
  readonly folder: string;
  /** Content of `run.json`. */
  readonly description: unknown;
  /** A line a step. */
  readonly metrics: readonly StepMetrics[];
  /** How images kept aside were recognised, look by look; empty where none were. */
  readonly recognition: readonly RecordedRecognition[];
  /** Share of the way from the original to the trained weights that was kept; absent where all of it was. */
  readonly blend?: number;
}

/** A measurement and where it lies, since its pictures lie beside it. */
export interface StoredFinding {
  readonly folder: string;
  readonly finding: Finding;
}

/** Blends of an original and a robust encoder, as `lore blend --out` measured them. */
export interface StoredFront {
  readonly folder: string;
  readonly front: BlendFront;
}

/** Everything that a report is about. */
export interface ReportInput {
  readonly runs: readonly TrainingRun[];
  readonly findings: readonly StoredFinding[];
  readonly fronts: readonly StoredFront[];
  /** Runs that were measured and not given: they tell how encoders were trained, and from what. */
  readonly measuredRuns: readonly TrainingRun[];
  /** Encoders that fidelity was measured of, to the original that they were compared with. */
  readonly origins: ReadonlyMap<string, string>;
}

export interface ReadOptions {
  /** Told of each thing that cannot be shown. */
  readonly onWarning?: (message: string) => void;
}

/**
 * Reads the runs, measurements and blends in some folders and in everything below them.
 *
 * @throws UsageError for a folder that does not exist, and where nothing is found that can be shown
 */
export function readReportInput(folders: readonly string[], { onWarning = () => {} }: ReadOptions = {}): ReportInput {
  const found = [...new Set(folders.flatMap((folder) => foldersIn(checked(folder))))];
  /** Reads what a folder holds; what cannot be read is told of and left out. */
  const reading = <T>(read: (folder: string) => T): ((folder: string) => readonly T[]) => {
    return (folder) => {
      try {
        return [read(folder)];
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        onWarning(`${error.message} It is left out.`);
        return [];
      }
    };
  };
  const runs = found.filter(isRun).flatMap(reading((folder) => readTraining(folder, onWarning)));
  const findings = found
    .filter(holdsFinding)
    .flatMap(reading((folder) => ({ folder, finding: withPictures(folder, readFinding(folder), onWarning) })));
  const fronts = found
    .filter((folder) => !isRun(folder) && hasBlend(folder))
    .flatMap(reading(readFront))
    .flat();
  if (runs.length + findings.length + fronts.length === 0) throw nothingFound(folders);
  return { runs, findings, fronts, measuredRuns: measuredRuns(findings), origins: originsOf(findings) };
}

/** Folders below which no run and no measurement lies. */
const closed = new Set(["checkpoints", "encoder", "examples", "node_modules"]);

/** Levels below a given folder that are looked through. */
const maxDepth = 6;

/** A folder and those below it that hold something to show, by name. */
function foldersIn(folder: string, depth = 0): readonly string[] {
  const own = isRun(folder) || holdsFinding(folder) || hasBlend(folder) ? [folder] : [];
  if (depth === maxDepth) return own;
  const below = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith(".") && !closed.has(entry.name))
    .map(({ name }) => name)
    .sort();
  return [...own, ...below.flatMap((name) => foldersIn(join(folder, name), depth + 1))];
}

function checked(folder: string): string {
  if (!existsSync(folder)) throw new UsageError(`${folder} does not exist.`);
  if (!statSync(folder).isDirectory())
    throw new UsageError(`${folder} is a file. Give the folder that it lies in, or any folder above.`);
  return folder;
}

function isRun(folder: string): boolean {
  return existsSync(join(folder, "run.json"));
}

function hasBlend(folder: string): boolean {
  return existsSync(join(folder, "blend.json"));
}

function nothingFound(folders: readonly string[]): UsageError {
  return new UsageError(
    `${folders.join(", ")}: neither a run of lore train (run.json) nor a measurement (finding.json) is in there. ` +
      "lore train --out FOLDER makes the first; lore evaluate, fidelity, corruptions and the like with --out FOLDER the second.",
  );
}

function readTraining(folder: string, onWarning: (message: string) => void): TrainingRun {
  const description = readRun(folder);
  if (!isObject(description)) throw new UsageError(`${join(folder, "run.json")} does not describe a run.`);
  const linesOf = <Line>(path: string): readonly Line[] =>
    readLines(path, (line) =>
      onWarning(`${path}, line ${line}, is no JSON. It is left out; lore train --resume writes it again.`),
    );
  const metrics = linesOf<StepMetrics>(join(folder, "metrics.jsonl"));
  const recognition = linesOf<RecordedRecognition>(join(folder, "recognition.jsonl"));
  const blend = hasBlend(folder) ? (readJson(join(folder, "blend.json")) as { readonly weight?: unknown }).weight : 1;
  return { folder, description, metrics, recognition, ...(typeof blend === "number" && blend < 1 && { blend }) };
}

/** Empty where only fidelity was measured, which says nothing of accuracy. */
function readFront(folder: string): readonly StoredFront[] {
  const front = readJson(join(folder, "blend.json")) as Partial<BlendFront> | null;
  if (!Array.isArray(front?.points)) throw new UsageError(`${join(folder, "blend.json")} holds no points of a blend.`);
  const points = (front as BlendFront).points.filter(({ evaluation }) => evaluation && evaluation.attacks.length > 0);
  return points.length < 2 ? [] : [{ folder, front: { ...(front as BlendFront), points } }];
}

/** The finding without pictures whose files are gone. */
function withPictures(folder: string, finding: Finding, onWarning: (message: string) => void): Finding {
  const isThere = ({ file }: Picture): boolean => existsSync(join(folder, file));
  const tell = (missing: number): void => {
    if (missing > 0) onWarning(`${folder}: ${counted(missing, "picture")} of the measurement cannot be found.`);
  };
  if (finding.kind === "evaluation") {
    const examples = finding.content.examples.filter(({ picture }) => isThere(picture));
    tell(finding.content.examples.length - examples.length);
    return { ...finding, content: { ...finding.content, examples } };
  }
  if (finding.kind === "interpretability") {
    const pictures = finding.content.pictures.filter(isThere);
    tell(finding.content.pictures.length - pictures.length);
    return { ...finding, content: { ...finding.content, pictures } };
  }
  return finding;
}

function originsOf(findings: readonly StoredFinding[]): ReadonlyMap<string, string> {
  return new Map(
    findings.flatMap(({ finding }) =>
      finding.kind === "fidelity"
        ? finding.content.encoders
            .filter(({ encoder }) => encoder !== finding.content.original)
            .map(({ encoder }) => [encoder, finding.content.original] as const)
        : [],
    ),
  );
}

/** Run folders that measured encoders lie in, as far as they are where the command line had them. */
function measuredRuns(findings: readonly StoredFinding[]): readonly TrainingRun[] {
  const folders = findings.flatMap(({ finding }) =>
    encodersOf(finding).map((name) => name.replace(/\/+$/, "").replace(/\/encoder$/, "")),
  );
  return [...new Set(folders)].filter(isRun).flatMap((folder) => {
    try {
      return [{ ...readTraining(folder, () => {}), metrics: [] }];
    } catch {
      // Nobody asked for it.
      return [];
    }
  });
}

/** The encoder that a run started from, as it was typed. */
export function originalOf(description: unknown): string | undefined {
  const { flags } = description as { readonly flags?: { readonly encoder?: unknown } };
  return typeof flags?.encoder === "string" ? flags.encoder : undefined;
}

export function encodersOf({ kind, content }: Finding): readonly string[] {
  switch (kind) {
    case "evaluation":
      return content.evaluations.map(({ encoder }) => encoder);
    case "benchmark":
      return content.rows.map(({ encoder }) => encoder);
    default:
      return content.encoders.map(({ encoder }) => encoder);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
