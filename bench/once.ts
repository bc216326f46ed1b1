import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LoreError } from "../src/errors.ts";
import { runJson } from "./process.ts";

const root = join(import.meta.dirname, "..");

/** Measurements in `bench/once/`, each in a process of its own. */
export type Measurement = "step" | "step-memory" | "steady-memory" | "memory" | "attack" | "attack-data";

/**
 * Compiles `bench/once/` as it is now, so that measured processes have no TypeScript loader (some 80 MB) and do not change
 * when sources are edited meanwhile. The result is removed when this process ends.
 *
 * @returns a function that runs one of them: takes its options as JSON, and returns its output
 */
export function compileOnce(): <Result>(name: Measurement, options: unknown) => Promise<Result> {
  const cache = join(root, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "lore-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  // Marks the files as ES modules; what is there also says which version they are.
  copyFileSync(join(root, "package.json"), join(folder, "package.json"));
  const tsc = join(root, "node_modules", "@typescript", "native", "bin", "tsc");
  try {
    const args = ["-p", join(import.meta.dirname, "tsconfig.once.json"), "--outDir", folder];
    execFileSync(process.execPath, [tsc, ...args], { encoding: "utf8", stdio: "pipe" });
  } catch (cause) {
    throw new LoreError(`What is to be measured does not compile: ${(cause as { stdout?: string }).stdout}`, { cause });
  }
  return (name, options) =>
    runJson([process.execPath, join(folder, "bench", "once", `${name}.js`), JSON.stringify(options)]);
}
