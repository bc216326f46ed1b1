import { LoreError } from "../../src/errors.ts";
import { keepYoungGenerationSmall } from "../../src/runtime/young-generation.ts";

/**
 * Entry point of a script made by `compileOnce`. Measures with the options given as JSON, and prints the result as JSON.
 * The process is set up like the command line's.
 */
export async function once<Options>(measure: (options: Options) => Promise<unknown>): Promise<void> {
  keepYoungGenerationSmall();
  const [, , json] = process.argv;
  if (json === undefined) throw new Error("This script is run by another one, with its options as JSON.");
  try {
    process.stdout.write(`${JSON.stringify(await measure(JSON.parse(json) as Options))}\n`);
  } catch (error) {
    if (!(error instanceof LoreError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
