import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import type { Question, Verdict } from "./verdict.ts";

/** A model that takes longer hangs. */
const SECONDS = 60;
/** Native memory that sessions leave behind is given back with the process. */
const QUESTIONS = 500;

/**
 * Asks a script that answers questions one at a time, in processes of its own: one that ends or hangs costs no more than its
 * question.
 *
 * @param onAnswer called after each, in whatever order they come
 */
export async function askAll(
  script: "original" | "ours",
  questions: readonly Question[],
  jobs: number,
  onAnswer: () => void,
): Promise<readonly Verdict[]> {
  const answers: Verdict[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    let judge: Judge | undefined;
    for (let i = next++; i < questions.length; i = next++) {
      if (!judge?.isUsable) {
        judge?.end();
        judge = new Judge(script);
      }
      answers[i] = await judge.ask(questions[i]!);
      onAnswer();
    }
    judge?.end();
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return answers;
}

class Judge {
  readonly #child: ChildProcess;
  #asked = 0;

  constructor(script: string) {
    this.#child = fork(join(import.meta.dirname, `${script}.ts`), { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  }

  get isUsable(): boolean {
    return this.#child.connected && this.#asked < QUESTIONS;
  }

  ask(question: Question): Promise<Verdict> {
    this.#asked++;
    const child = this.#child;
    let errors = "";
    return new Promise((resolve) => {
      const listen = (chunk: Buffer): void => {
        errors += chunk;
      };
      const settle = (verdict: Verdict): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        child.stderr!.removeListener("data", listen);
        resolve(verdict);
      };
      const timer = setTimeout(() => {
        settle({ kind: "crashed", detail: `no answer within ${SECONDS} seconds` });
        this.end();
      }, SECONDS * 1000);
      child.stderr!.on("data", listen);
      child.once("message", (verdict) => settle(verdict as Verdict));
      child.once("close", (code, signal) => {
        const last = errors.trim().split("\n").at(-1) ?? "";
        settle({ kind: "crashed", detail: `the process ended by ${signal ?? `code ${code}`}: ${last}` });
      });
      child.send(question);
    });
  }

  end(): void {
    this.#child.removeAllListeners();
    if (this.#child.connected) this.#child.disconnect();
    this.#child.kill("SIGKILL");
  }
}
