import { UsageError } from "./errors.ts";

/** Fields of a mapping in a file, checked as they are read. Errors name the place. */
export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;
  /** "Suite FILE, set NAME" */
  readonly place: string;

  /** @throws UsageError when it is not a mapping, or has unknown fields */
  constructor(value: unknown, place: string, known: readonly string[]) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new UsageError(`${place}: a mapping of fields is needed (${known.join(", ")}), not ${written(value)}.`);
    this.#fields = value as Readonly<Record<string, unknown>>;
    this.place = place;
    const unknown = Object.keys(value).find((name) => !known.includes(name));
    if (unknown !== undefined)
      throw new UsageError(`${place}: there is no field "${unknown}"; there are ${known.join(", ")}.`);
  }

  /** Value of a field; undefined for an empty one too. */
  value(name: string): unknown {
    return this.#fields[name] ?? undefined;
  }

  text(name: string): string | undefined {
    return this.#of(name, isText, "a text");
  }

  flag(name: string): boolean | undefined {
    return this.#of(name, (value) => typeof value === "boolean", "true or false");
  }

  /** An integer of at least `min`. */
  whole(name: string, min: number): number | undefined {
    const fits = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= min;
    return this.#of(name, fits, `a whole number, at least ${min}`);
  }

  number(name: string): number | undefined {
    const fits = (value: unknown): value is number => typeof value === "number" && value >= 0 && value < Infinity;
    return this.#of(name, fits, "a number from 0");
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    return this.#of(name, (value): value is T => choices.some((choice) => choice === value), choices.join(" or "));
  }

  /** One text or a list of them. */
  texts(name: string): string | readonly string[] | undefined {
    return this.#of(name, (value) => isText(value) || isTexts(value), "a text or a list of texts");
  }

  /** A non-empty list. */
  list(name: string): readonly unknown[] | undefined {
    const fits = (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.length > 0;
    return this.#of(name, fits, "a list of at least one");
  }

  /** @throws UsageError */
  required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw new UsageError(`${this.place}: the field "${name}" is missing.`);
    return value;
  }

  /** A problem with a field. */
  problem(name: string, what: string, cause?: unknown): UsageError {
    return new UsageError(`${this.place}, ${name}: ${what}`, { cause });
  }

  /** Result of reading a field. A `UsageError` becomes a problem with the field. */
  reading<T>(name: string, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw cause instanceof UsageError ? this.problem(name, cause.message, cause) : cause;
    }
  }

  #of<T>(name: string, fits: (value: unknown) => value is T, needed: string): T | undefined {
    const value = this.value(name);
    if (value === undefined || fits(value)) return value;
    throw this.problem(name, `${written(value)} is not ${needed}.`);
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every(isText);
}

function written(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
