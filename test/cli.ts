import { execFile, spawn } from "node:child_process";
import { join } from "node:path";

const main = join(import.meta.dirname, "..", "src", "cli", "main.ts");

export interface CliResult {
  /** null for a process that a signal ended. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `lore` from the sources in a process of its own. */
export function lore(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> {
  return runScript(main, args, env);
}

/** Runs a TypeScript file in a process of its own, with these variables besides the environment's. */
export function runScript(
  file: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<CliResult> {
  const options = { env: { ...process.env, ...env }, maxBuffer: 2 ** 26 };
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", file, ...args], options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
    });
  });
}

/** Runs `lore` as a process and interrupts it once its stderr matches. */
export function interrupted(args: readonly string[], when: RegExp): Promise<CliResult> {
  const child = spawn(process.execPath, ["--import", "tsx", main, ...args]);
  let [stdout, stderr, sent] = ["", "", false];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
    if (!sent && when.test(stderr)) sent = child.kill("SIGINT");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
