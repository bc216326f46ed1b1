import { execFileSync } from "node:child_process";

/** The number printed by a script in a separate process. The script is an ES module and may import TypeScript by URL. */
export function numberPrintedBy(script: string): number {
  const args = ["--import", "tsx", "--input-type=module", "--eval", script];
  return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}
