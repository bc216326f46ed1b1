import { existsSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { jsonFile, readJson, writeAtomically } from "../files.ts";
import { versions } from "../version.ts";
import type { Contents, Environment, Finding, FindingKind, FindingOf } from "./finding.ts";

const fileName = "finding.json";

/** Lists that each kind of measurement holds. A file that lacks one is damaged, or was not written by this project. */
const lists: { readonly [Kind in FindingKind]: readonly (keyof Contents[Kind])[] } = {
  evaluation: ["evaluations", "settings", "examples"],
  benchmark: ["sets", "epsilons", "rows", "published", "missing"],
  corruptions: ["severities", "extra", "encoders", "warnings"],
  probes: ["encoders"],
  fidelity: ["encoders"],
  interpretability: ["encoders", "pictures"],
};

/**
 * Saves a measurement for `lore report`, replacing an earlier one.
 *
 * @param command arguments typed after `lore`
 * @param started by `performance.now()`
 * @throws LoreError when the folder cannot be written
 */
export function keepFinding<Kind extends FindingKind>(
  folder: string,
  kind: Kind,
  content: Contents[Kind],
  { command, started }: { readonly command: readonly string[]; readonly started: number },
): void {
  const finding: FindingOf<Kind> = {
    kind,
    command,
    date: new Date().toISOString(),
    seconds: (performance.now() - started) / 1000,
    environment: environment(),
    content,
  };
  writeAtomically(...jsonFile(join(folder, fileName), finding));
}

export function holdsFinding(folder: string): boolean {
  return existsSync(join(folder, fileName));
}

/** @throws UsageError when the folder holds no readable measurement */
export function readFinding(folder: string): Finding {
  const path = join(folder, fileName);
  if (!existsSync(path)) throw new UsageError(`${folder} holds no measurement: ${fileName} is missing.`);
  const found = readJson(path) as Partial<Finding> | null;
  if (typeof found?.kind !== "string" || !Object.hasOwn(lists, found.kind))
    throw new UsageError(`${path} is no measurement of a kind that this version knows.`);
  const content = found.content as unknown as Readonly<Record<string, unknown>> | null | undefined;
  const missing = lists[found.kind].find((name) => !Array.isArray(content?.[name]));
  if (missing !== undefined) throw new UsageError(`${path} is damaged: its content has no list of ${missing}.`);
  return found as Finding;
}

function environment(): Environment {
  return {
    versions: versions(),
    platform: `${process.platform} ${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
}
