import type { Command } from "commander";

/** Whether a command may be given its encoders and its data without flags: `lore evaluate A B pets/`. */
export function takesPositional(command: Command): boolean {
  const has = (flag: string): boolean => command.options.some(({ long }) => long === flag);
  return has("--encoder") && has("--data") && command.registeredArguments.length === 0;
}

/**
 * Encoders and data that stand in front of a command's options, as options: the last of several is the data, a single one is the
 * encoder, or the data where `--encoder` is given. `evaluate A B pets/ --limit 9` is `evaluate --encoder A B --data pets/ --limit 9`.
 *
 * @param args what stands behind `lore`
 */
export function withPositional(args: readonly string[], commands: readonly Command[]): readonly string[] {
  const [name, ...rest] = args;
  const command = commands.find((each) => each.name() === name);
  if (name === undefined || !command || !takesPositional(command)) return args;
  const end = rest.findIndex((arg) => arg.startsWith("-"));
  const words = end === -1 ? rest : rest.slice(0, end);
  const options = end === -1 ? [] : rest.slice(end);
  if (words.length === 0) return args;
  const given = (flag: string): boolean => options.some((arg) => arg === flag || arg.startsWith(`${flag}=`));
  const data = words.length > 1 || given("--encoder") ? words.at(-1) : undefined;
  const encoders = data === undefined || given("--data") ? words : words.slice(0, -1);
  return [
    name,
    ...(encoders.length > 0 ? ["--encoder", ...encoders] : []),
    ...(data === undefined || given("--data") ? [] : ["--data", data]),
    ...options,
  ];
}
