import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { LoreError } from "../errors.ts";
import { jsonFile, readJson, writeAtomically } from "../files.ts";
import { groupsBy } from "../groups.ts";
import type { SweepTask } from "./plan.ts";

/** Result of a task. */
export interface SweepAnswer {
  readonly command: readonly string[];
  /** When it ended, ISO 8601. */
  readonly date: string;
  readonly seconds: number;
  /** Output of the command under `--json`. */
  readonly result: unknown;
}

export interface SweepOptions {
  /** Command that starts `lore` in its own process: a program and its first arguments. */
  readonly command: readonly string[];
  /** Tasks at a time; each gets its share of the cores. Default 1. */
  readonly jobs?: number;
  readonly signal?: AbortSignal;
  readonly onTask?: (task: SweepTask, event: "started" | "kept" | "done" | "failed", seconds: number) => void;
}

/**
 * Runs the tasks of a plan, each in its own process. A task that has an answer is skipped. An interrupted run continues.
 * A failed training also skips its run's measurements, but no other run.
 *
 * @returns the failed tasks with their error messages
 */
export async function runSweep(
  tasks: readonly SweepTask[],
  { command, jobs = 1, signal, onTask }: SweepOptions,
): Promise<ReadonlyMap<SweepTask, string>> {
  const failures = new Map<SweepTask, string>();
  const threads = Math.max(1, Math.floor(availableParallelism() / jobs));
  const runs = [...groupsBy(tasks, ({ run }) => run).values()];
  const work = async (): Promise<void> => {
    for (let own = runs.shift(); own !== undefined && !signal?.aborted; own = runs.shift()) {
      for (const task of own) {
        if (signal?.aborted) return;
        const failure = await perform(task, threads, { command, signal, onTask });
        if (failure === undefined) continue;
        failures.set(task, failure);
        if (task.measurement === undefined) break;
      }
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return failures;
}

/** @returns the reason of the failure, if any */
async function perform(
  task: SweepTask,
  threads: number,
  {
    command,
    signal,
    onTask,
  }: {
    readonly command: readonly string[];
    readonly signal: AbortSignal | undefined;
    readonly onTask: SweepOptions["onTask"];
  },
): Promise<string | undefined> {
  if (existsSync(task.answer)) {
    onTask?.(task, "kept", 0);
    return undefined;
  }
  onTask?.(task, "started", 0);
  const started = performance.now();
  const begun = task.measurement === undefined && existsSync(join(task.folder, "run.json"));
  const args = [...(begun ? ["train", "--resume", task.folder] : task.args), "--json"];
  if (!args.includes("--threads")) args.push("--threads", String(threads));
  const { code, stdout, stderr } = await lore([...command, ...args], signal);
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0) {
    onTask?.(task, "failed", seconds);
    return stderr.trim().split("\n").at(-1) ?? `exit code ${code}`;
  }
  const answer: SweepAnswer = {
    command: task.args,
    date: new Date().toISOString(),
    seconds,
    result: JSON.parse(stdout),
  };
  writeAtomically(...jsonFile(task.answer, answer));
  onTask?.(task, "done", seconds);
  return undefined;
}

function lore([program, ...args]: readonly string[], signal: AbortSignal | undefined) {
  return new Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>(
    (done, failed) => {
      const child = spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"] });
      const text = { stdout: "", stderr: "" };
      for (const name of ["stdout", "stderr"] as const)
        child[name].setEncoding("utf8").on("data", (piece: string) => {
          text[name] += piece;
        });
      // The child saves its state and ends by itself.
      signal?.addEventListener("abort", () => child.kill("SIGINT"), { once: true });
      child.on("error", (cause) => failed(new LoreError(`${program} cannot be started.`, { cause })));
      child.on("close", (code) => done({ code, ...text }));
    },
  );
}

/** A task's saved answer. */
export function answerOf(task: SweepTask): SweepAnswer | undefined {
  return existsSync(task.answer) ? (readJson(task.answer) as SweepAnswer) : undefined;
}
