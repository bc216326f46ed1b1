import { execFileSync } from "node:child_process";
import { availableParallelism, cpus, totalmem } from "node:os";
import { versions } from "../src/version.ts";
import { gib } from "./markdown.ts";

/** The machine that figures depend on, and the code's version. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly versions: Readonly<Record<string, string>>;
  /** `git describe`, with `-dirty` where files were changed. */
  readonly commit: string;
  /** ISO 8601, UTC. */
  readonly started: string;
}

export function thisMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown processor",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    versions: versions(),
    commit: commit(),
    started: new Date().toISOString(),
  };
}

function commit(): string {
  try {
    const args = ["describe", "--always", "--dirty"];
    return execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  } catch {
    return "no git checkout";
  }
}

export function describeMachine({ cpu, cores, memoryBytes, versions, commit, started }: Machine): string {
  const names = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cpu}, ${cores} cores, ${gib(memoryBytes)} GiB; ${names.join(", ")}; commit ${commit}, ${started.slice(0, 10)}`;
}
