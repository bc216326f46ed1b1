import { type Command, CommanderError } from "commander";
import { LoreError, UsageError } from "../src/errors.ts";

/** Runs a script's command line; exit codes as those of `lore`. */
export async function main(command: Command): Promise<void> {
  try {
    await command.exitOverride().parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    if (!(error instanceof LoreError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
