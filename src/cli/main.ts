#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { LoreError, UsageError } from "../errors.ts";
import { benchCommand } from "./bench.ts";
import { expandSettings, packageVersion } from "./config.ts";
import { doctorCommand } from "./doctor.ts";
import { evaluateCommand } from "./evaluate.ts";
import { quickstartCommand } from "./quickstart.ts";
import { trainCommand } from "./train.ts";

const program = new Command("lore")
  .description("Make a vision encoder adversarially robust, attack it, and measure it.")
  .version(packageVersion())
  .showHelpAfterError("(lore COMMAND --help lists what there is)");
for (const command of [quickstartCommand(), trainCommand(), evaluateCommand(), benchCommand(), doctorCommand()])
  program.addCommand(command);
for (const command of [program, ...program.commands]) command.exitOverride();

/** Exit codes: 0 success, 1 a failed run, 2 unusable arguments or input. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  process.stderr.write(
    error instanceof LoreError ? `lore: ${error.message}\n` : `lore: unexpected error\n${describe(error)}\n`,
  );
  return error instanceof UsageError ? 2 : 1;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

try {
  await program.parseAsync(["node", "lore", ...expandSettings(process.argv.slice(2))]);
} catch (error) {
  process.exitCode = exitCodeOf(error);
}
