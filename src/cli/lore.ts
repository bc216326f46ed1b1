import { Command, CommanderError } from "commander";
import { LoreError, UsageError } from "../errors.ts";
import { packageVersion } from "../version.ts";
import { attackCommand } from "./attack.ts";
import { benchCommand } from "./bench.ts";
import { benchmarkCommand } from "./benchmark.ts";
import { blendCommand } from "./blend.ts";
import { completionCommand } from "./completion.ts";
import { expandSettings } from "./config.ts";
import { convertCommand } from "./convert.ts";
import { corruptionsCommand } from "./corruptions.ts";
import { doctorCommand } from "./doctor.ts";
import { embedCommand } from "./embed.ts";
import { evaluateCommand } from "./evaluate.ts";
import { fidelityCommand } from "./fidelity.ts";
import { interpretCommand } from "./interpret.ts";
import { takesPositional, withPositional } from "./positional.ts";
import { probeCommand } from "./probe.ts";
import { quickstartCommand } from "./quickstart.ts";
import { reportCommand } from "./report.ts";
import { sweepCommand } from "./sweep.ts";
import { trainCommand } from "./train.ts";

/**
 * The command line. Commands print to stdout and stderr.
 *
 * @param args arguments after `lore`
 * @returns the exit code: 0 for success, 1 for a failed run, 2 for arguments or input that cannot be used
 */
export async function lore(args: readonly string[]): Promise<number> {
  const program = loreProgram();
  try {
    await program.parseAsync(["node", "lore", ...expandSettings(withPositional(args, program.commands))]);
    return 0;
  } catch (error) {
    return exitCodeOf(error);
  }
}

const commandGroups: Readonly<Record<string, readonly (() => Command)[]>> = {
  "Make encoders robust:": [quickstartCommand, trainCommand, blendCommand, sweepCommand],
  "Measure them:": [
    evaluateCommand,
    benchmarkCommand,
    corruptionsCommand,
    fidelityCommand,
    interpretCommand,
    probeCommand,
    reportCommand,
  ],
  "Use them:": [embedCommand, attackCommand, convertCommand],
  "This machine:": [benchCommand, doctorCommand],
};

function loreProgram(): Command {
  const program = new Command("lore")
    .description("Make a vision encoder adversarially robust, attack it, and measure it.")
    .version(packageVersion())
    .showHelpAfterError("(lore COMMAND --help lists what there is)");
  for (const [heading, commands] of Object.entries(commandGroups))
    for (const command of commands) program.addCommand(command().helpGroup(heading));
  program.addCommand(completionCommand(program).helpGroup("This machine:"));
  for (const command of program.commands) if (takesPositional(command)) command.usage("[encoder...] [data] [options]");
  for (const command of [program, ...program.commands]) command.exitOverride();
  return program;
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.code === "commander.excessArguments") process.stderr.write(`${severalValues}\n`);
    return error.exitCode === 0 ? 0 : 2;
  }
  process.stderr.write(
    error instanceof LoreError ? `lore: ${error.message}\n` : `lore: unexpected error\n${describe(error)}\n`,
  );
  return error instanceof UsageError ? 2 : 1;
}

const severalValues = "Several values of an option that takes a list are written with commas: --epsilon 1/255,2/255.";

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
