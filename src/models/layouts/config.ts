import { UsageError } from "../../errors.ts";

/** A JSON object of unknown content, read field by field. */
export class Config {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #path: string;

  /** The object's name in messages. */
  get path(): string {
    return this.#path;
  }

  /** @param path names the object in messages: `config.json`, or `config.json: vision_config` */
  constructor(json: unknown, path: string) {
    this.#fields = typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
    this.#path = path;
  }

  /** The names of its fields. */
  get names(): readonly string[] {
    return Object.keys(this.#fields);
  }

  /** The value of this field; undefined for null. */
  given(name: string): unknown {
    return this.#fields[name] ?? undefined;
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  /** The object under this name; an empty one where there is none. */
  object(name: string): Config {
    return new Config(this.#fields[name], `${this.#path}: ${name}`);
  }

  text(name: string): string | undefined {
    const value = this.#fields[name];
    return typeof value === "string" ? value : undefined;
  }

  flag(name: string): boolean {
    return this.#fields[name] === true;
  }

  /** @throws UsageError when it is there and no number, or absent without a default */
  number(name: string, fallback?: number): number {
    const value = this.#fields[name] ?? fallback;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw new UsageError(`${this.#path}: ${name} is ${JSON.stringify(value) ?? "missing"}; a number is needed.`);
  }

  /** @throws UsageError when it is there and no positive integer, or absent without a default */
  count(name: string, fallback?: number): number {
    const value = this.number(name, fallback);
    if (Number.isInteger(value) && value > 0) return value;
    throw new UsageError(`${this.#path}: ${name} is ${value}; a positive whole number is needed.`);
  }
}

/** The factor that Python's `int(width * factor)` turns into `hidden`, whatever the product's rounding. */
export function mlpRatio(width: number, hidden: number): number {
  return hidden % width === 0 ? hidden / width : (hidden + 0.5) / width;
}
