import { Command } from "commander";
import { type Flags, type Options, withOptions } from "./option.ts";

/** The type of an argument by its name: `<folder...>` is one or more texts, `<file>` one, `[data]` one or none. */
type ArgumentOf<Name extends string> = Name extends `<${string}...>`
  ? readonly string[]
  : Name extends `<${string}>`
    ? string
    : string | undefined;

interface Description<O extends Options> {
  readonly name: string;
  /** A sentence without a full stop. */
  readonly description: string;
  readonly options: O;
  /** The options everyone needs, which the help shows first. */
  readonly essentials: readonly (keyof O & string)[];
  /** Two command lines, without `lore`. */
  readonly examples: readonly string[];
}

/** A command without arguments besides its options. */
export function command<const O extends Options>({
  run,
  ...description
}: Description<O> & { readonly run: (flags: Flags<O>, command: Command) => Promise<void> }): Command {
  return described(description).action(run);
}

/** A command with an argument. */
export function commandWithArgument<const O extends Options, const Name extends string>({
  argument: [name, help],
  run,
  ...description
}: Description<O> & {
  readonly argument: readonly [name: Name, help: string];
  readonly run: (argument: ArgumentOf<Name>, flags: Flags<O>) => Promise<void>;
}): Command {
  return described(description).argument(name, help).action(run);
}

/** The help: usage, what it does, the options everyone needs, examples, the other options by topic. */
function described({ name, description, options, essentials, examples }: Description<Options>): Command {
  const made = new Command(name).description(description);
  withOptions(made, options, essentials);
  const lines = ["Examples:", ...examples.map((example) => `  ${folded(`lore ${example}`)}`), ""];
  return made.configureHelp({
    formatItemList(heading, items, helper) {
      if (items.length === 0) return [];
      return [helper.styleTitle(heading), ...items, "", ...(heading === "Options:" ? lines : [])];
    },
  });
}

const maxExampleWidth = 76;

/** A command line in lines that fit a terminal, broken before options. */
function folded(line: string): string {
  const [first, ...rest] = line.split(/ (?=--)/);
  const lines = [first!];
  for (const option of rest) {
    const longer = `${lines.at(-1)} ${option}`;
    if (longer.length > maxExampleWidth) lines.push(`    ${option}`);
    else lines[lines.length - 1] = longer;
  }
  return lines.join(" \\\n");
}
