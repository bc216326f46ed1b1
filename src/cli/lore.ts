import { Command, CommanderError } from "commander";
import { LoreError, UsageError } from "../errors.ts";
import { attackCommand } from "./attack.ts";
import { benchCommand } from "./bench.ts";
import { benchmarkCommand } from "./benchmark.ts";
import { blendCommand } from "./blend.ts";
import { expandSettings, packageVersion } from "./config.ts";
import { convertCommand } from "./convert.ts";
import { corruptionsCommand } from "./corruptions.ts";
import { doctorCommand } from "./doctor.ts";
import { embedCommand } from "./embed.ts";
import { evaluateCommand } from "./evaluate.ts";
import { fidelityCommand } from "./fidelity.ts";
import { interpretCommand } from "./interpret.ts";
import { probeCommand } from "./probe.ts";
import { quickstartCommand } from "./quickstart.ts";
import { reportCommand } from "./report.ts";
import { sweepCommand } from "./sweep.ts";
import { trainCommand } from "./train.ts";

/**
 * The command line. What a command has to say goes to stdout and stderr.
 *
 * @param args what stands behind `lore`
 * @returns the exit code: 0 success, 1 a failed run, 2 unusable arguments or input
 */
export async function lore(args: readonly string[]): Promise<number> {
  const program = new Command("lore")
    .description("Make a vision encoder adversarially robust, attack it, and measure it.")
    .version(packageVersion())
    .showHelpAfterError("(lore COMMAND --help lists what there is)");
  const commands = [
    quickstartCommand,
    trainCommand,
    blendCommand,
    evaluateCommand,
    attackCommand,
    embedCommand,
    convertCommand,
    benchmarkCommand,
    corruptionsCommand,
    fidelityCommand,
    interpretCommand,
    probeCommand,
    sweepCommand,
    reportCommand,
    benchCommand,
    doctorCommand,
  ];
  for (const command of commands) program.addCommand(command());
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    await program.parseAsync(["node", "lore", ...expandSettings(args)]);
    return 0;
  } catch (error) {
    return exitCodeOf(error);
  }
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
