import { execFileSync } from "node:child_process";

/** The number that a script prints, an ES module which may import TypeScript by URL, in a process of its own. */
export function numberPrintedBy(script: string): number {
  const args = ["--import", "tsx", "--input-type=module", "--eval", script];
  return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}
