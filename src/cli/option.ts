import { type Command, Option } from "commander";

/** Reads an option's text. @throws InvalidArgumentError saying what it must be */
export type Parser<T> = ((text: string) => T) & {
  /** All texts that are allowed, where they are few. */
  readonly choices?: readonly string[];
};

/** The subjects of options, with their headings in the help, in this order. */
export const topics = {
  data: "Images and classes:",
  encoder: "Encoder:",
  objective: "Objective and constraint:",
  training: "Optimisation:",
  attack: "Attack:",
  results: "Results:",
  compute: "Computation:",
} as const;

export type Topic = keyof typeof topics;

interface Meaning {
  /** Its text in the help, without the default. */
  readonly help: string;
  readonly topic: Topic;
  readonly hidden?: true;
}

/** Either stands on every command line, or has a default: as people write it, read by the option's own parser. */
type Certainty = { readonly required: true } | { readonly default: string };

/** An option as it is declared, once: flag, field of the parsed flags, config files and `run.json`, type and help. */
export interface Declared<T> extends Meaning {
  /** The name and the value, as commander writes them: `--limit <n>`. */
  readonly flags: string;
  /** Absent for switches and lists, whose values are taken as they are. */
  readonly parser?: Parser<T>;
  readonly required?: true;
  readonly default?: string;
  /** Carries the type; never set. */
  readonly value?: T;
}

/** An option that always has a value. */
export interface Certain<T> extends Declared<T> {
  readonly isCertain: true;
}

/** Options by the names of their fields: `--limit-train` is `limitTrain`. */
export type Options = Readonly<Record<string, Declared<unknown>>>;

/** The parsed flags of a command, as its options declare them. */
export type Flags<O extends Options> = {
  readonly [K in keyof O as O[K] extends Certain<unknown> ? K : never]: Exclude<O[K]["value"], undefined>;
} & {
  readonly [K in keyof O as O[K] extends Certain<unknown> ? never : K]?: Exclude<O[K]["value"], undefined>;
};

/** An option with one value. */
export function option<T>(flags: string, parser: Parser<T>, meaning: Meaning & Certainty): Certain<T>;
export function option<T>(flags: string, parser: Parser<T>, meaning: Meaning): Declared<T>;
export function option<T>(flags: string, parser: Parser<T>, meaning: Meaning): Declared<T> {
  return { flags, parser, ...meaning };
}

/** An option with one or more values: `--encoder <encoder...>`. */
export function list(flags: string, meaning: Meaning & { readonly required: true }): Certain<readonly string[]>;
export function list(flags: string, meaning: Meaning): Declared<readonly string[]>;
export function list(flags: string, meaning: Meaning): Declared<readonly string[]> {
  return { flags, ...meaning };
}

/** An option without a value: `true`, or absent. */
export function flag(flags: string, meaning: Meaning): Declared<true> {
  return { flags, ...meaning };
}

/**
 * Puts options on a command.
 *
 * @param essentials those that the help shows first; the others follow by topic
 */
export function withOptions(command: Command, options: Options, essentials: readonly string[] = []): Command {
  const shownFirst = essentials.map((name) => [name, options[name]!] as const);
  const shownLater = (Object.keys(topics) as Topic[]).flatMap((topic) =>
    Object.entries(options).filter(([name, declared]) => declared.topic === topic && !essentials.includes(name)),
  );
  for (const [name, declared] of shownFirst) command.addOption(asOption(name, declared));
  for (const [name, declared] of shownLater)
    command.addOption(asOption(name, declared).helpGroup(topics[declared.topic]));
  return command;
}

/** The values that options have where nothing is given, by their fields. */
export function defaultsOf(options: Options): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { parser, default: usual }]) => [
      name,
      usual === undefined ? undefined : (parser?.(usual) ?? usual),
    ]),
  );
}

/** The field's name as a flag: `--limit-train`. */
export function flagOf(field: string): string {
  return `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function asOption(field: string, declared: Declared<unknown>): Option {
  const { flags, help, parser, hidden, required } = declared;
  const made = new Option(flags, help);
  if (made.long !== flagOf(field)) throw new TypeError(`Option ${flags} is declared as the field ${field}.`);
  if (parser?.choices) made.choices(parser.choices);
  else if (parser) made.argParser(parser);
  if (declared.default !== undefined) made.default(parser?.(declared.default), declared.default);
  return made.makeOptionMandatory(required === true).hideHelp(hidden === true);
}
