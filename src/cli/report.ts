import { defined } from "../defined.ts";
import { writeAtomically } from "../files.ts";
import { report } from "../report/index.ts";
import { commandWithArgument } from "./command.ts";
import { defaultsOf, type Flags, option } from "./option.ts";
import { text } from "./parsers.ts";
import { trainOptions } from "./train.ts";

const options = {
  out: option("--out <file>", text, { help: "the page", topic: "results", default: "report.html" }),
  title: option("--title <text>", text, { help: "the page's heading", topic: "results" }),
};

export function reportCommand() {
  return commandWithArgument({
    name: "report",
    description: "show training runs and measurements on one HTML page that needs no network",
    argument: [
      "<folder...>",
      "run folders of lore train, folders that other commands were given as --out, or any folder above them",
    ],
    options,
    essentials: ["out", "title"],
    examples: ["report runs/lore results/pets", "report runs/* results/* --out page.html"],
    run,
  });
}

async function run(folders: readonly string[], { out, title }: Flags<typeof options>): Promise<void> {
  const page = await report(folders, {
    ...defined({ title }),
    defaults: defaultsOf(trainOptions),
    onWarning: (message) => process.stderr.write(`Warning: ${message}\n`),
  });
  writeAtomically(out, page);
  process.stdout.write(`${out}: ${(page.length / 1e3).toFixed(0)} kB, open it in any browser.\n`);
}
