import type { Command, Option } from "commander";
import { UsageError } from "../errors.ts";
import { commandWithArgument } from "./command.ts";

/** `lore completion SHELL`: prints a script with which Tab completes commands, options and their values. */
export function completionCommand(program: Command): Command {
  return commandWithArgument({
    name: "completion",
    description: "print a script that completes commands and options in a shell",
    argument: ["<shell>", "bash, zsh or fish"],
    options: {},
    essentials: [],
    examples: ["completion bash >> ~/.bashrc", "completion fish > ~/.config/fish/completions/lore.fish"],
    run: async (shell) => {
      process.stdout.write(scriptFor(shell)(program.commands));
    },
  });
}

type Commands = readonly Command[];

const scripts: Readonly<Record<string, (commands: Commands) => string>> = { bash, zsh, fish };

function scriptFor(shell: string): (commands: Commands) => string {
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (script) return script;
  throw new UsageError(`There is no completion for ${shell}: there is ${Object.keys(scripts).join(", ")}.`);
}

/** A function for bash. It proposes nothing where a file is wanted: bash then proposes files. */
function bash(commands: Commands): string {
  const words = (list: readonly string[]): string => `COMPREPLY=($(compgen -W "${list.join(" ")}" -- "$current"))`;
  const values = commands.flatMap((command) =>
    withChoices(command).map(
      (option) => `    "${command.name()} ${option.long}") ${words(option.argChoices!)}; return ;;`,
    ),
  );
  const flags = commands.map((command) => `    ${command.name()}) ${words(optionsOf(command).map(longOf))} ;;`);
  return `_lore() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then ${words(commands.map((command) => command.name()))}; return; fi
  case "\${COMP_WORDS[1]} \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join("\n")}
  esac
  case "$current" in -*) ;; *) return ;; esac
  case "\${COMP_WORDS[1]}" in
${flags.join("\n")}
  esac
}
complete -o default -F _lore lore
`;
}

function zsh(commands: Commands): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${bash(commands)}`;
}

function fish(commands: Commands): string {
  const names = commands.map(
    (command) =>
      `complete -c lore -n __fish_use_subcommand -f -a ${command.name()} -d ${quoted(command.description())}`,
  );
  const options = commands.flatMap((command) =>
    optionsOf(command).map((option) => {
      const values = option.argChoices ? ` -x -a ${quoted(option.argChoices.join(" "))}` : option.required ? " -r" : "";
      return `complete -c lore -n '__fish_seen_subcommand_from ${command.name()}' -l ${longOf(option).slice(2)}${values} -d ${quoted(option.description)}`;
    }),
  );
  return `${[...names, ...options].join("\n")}\n`;
}

function optionsOf(command: Command): readonly Option[] {
  return command.options.filter((option) => !option.hidden && option.long);
}

function withChoices(command: Command): readonly Option[] {
  return optionsOf(command).filter((option) => option.argChoices);
}

const longOf = (option: Option): string => option.long!;

/** A text as fish reads it. */
function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, (character) => `\\${character}`)}'`;
}
