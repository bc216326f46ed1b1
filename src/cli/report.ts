import { Command } from "commander";
import { writeAtomically } from "../files.ts";
import { report } from "../report/index.ts";
import { trainCommand } from "./train.ts";

interface Flags {
  readonly out: string;
  readonly title?: string;
}

export function reportCommand(): Command {
  return new Command("report")
    .description("show training runs and measurements on one HTML page, which needs no network")
    .argument(
      "<folder...>",
      "run folders of lore train, folders that other commands were given as --out, or any folder above them",
    )
    .option("--out <file>", "the page", "report.html")
    .option("--title <text>", "the page's heading")
    .action(run);
}

async function run(folders: readonly string[], { out, title }: Flags): Promise<void> {
  const page = await report(folders, {
    ...(title !== undefined && { title }),
    defaults: Object.fromEntries(
      trainCommand().options.map((option) => [option.attributeName(), option.defaultValue as unknown]),
    ),
    onWarning: (message) => process.stderr.write(`Warning: ${message}\n`),
  });
  writeAtomically(out, page);
  process.stdout.write(`${out}: ${(page.length / 1e3).toFixed(0)} kB, open it in any browser.\n`);
}
