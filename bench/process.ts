import { spawn } from "node:child_process";
import { LoreError } from "../src/errors.ts";

/** A process that did not start, ended with another code than 0, or printed no JSON. */
export class ProcessError extends LoreError {
  override readonly name = "ProcessError";
}

/**
 * Runs a command and reads the JSON that it prints on stdout. Nothing of it stays behind: memory and threads are its own.
 *
 * @throws ProcessError with the last lines of its stderr
 */
export async function runJson<T>(command: readonly string[]): Promise<T> {
  const stdout = await run(command);
  try {
    return JSON.parse(stdout) as T;
  } catch (cause) {
    throw new ProcessError(`${shown(command)} printed no JSON, but: ${stdout.slice(0, 300)}`, { cause });
  }
}

function run(command: readonly string[]): Promise<string> {
  const [program, ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program ?? "", args, { stdio: ["ignore", "pipe", "pipe"] });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", (cause) =>
      reject(new ProcessError(`${shown(command)} did not start: ${cause.message}`, { cause })),
    );
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(stdout);
      const end = signal ? `was ended by ${signal}` : `ended with code ${code}`;
      reject(new ProcessError(`${shown(command)} ${end}:\n${lastLines(stderr)}`));
    });
  });
}

/** A script that is passed as an argument would fill pages. */
function shown(command: readonly string[]): string {
  return command.map((word) => (word.length > 200 ? "SCRIPT" : word)).join(" ");
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-10).join("\n");
}
