import { UsageError } from "../../errors.ts";
import { type Filter, filters } from "../../framing.ts";
import type { Normalization } from "../encoder.ts";
import type { Config } from "../layouts/config.ts";

/*
 * Fields of preprocessing in all forms that configurations have. A field in another form is refused by name.
 */

/** A size in one of its forms. */
export type Size =
  | { readonly kind: "number"; readonly pixels: number }
  | { readonly kind: "shorter edge"; readonly pixels: number }
  | { readonly kind: "sides"; readonly height: number; readonly width: number };

export function refusal(config: Config, name: string, needed: string): UsageError {
  return new UsageError(`${config.path}: ${name} is ${JSON.stringify(config.given(name))}; ${needed}.`);
}

/** A number, `{shortest_edge}`, `{height, width}` or `[height, width]`; undefined where the field is not there. */
export function sizeField(config: Config, name: string): Size | undefined {
  const value = config.given(name);
  const forms = "a number, {shortest_edge} or {height, width} of pixels can be computed";
  if (value === undefined) return undefined;
  if (isPixels(value)) return { kind: "number", pixels: value };
  if (typeof value !== "object") throw refusal(config, name, forms);
  if (Array.isArray(value)) {
    const [height, width = height] = value as readonly unknown[];
    if (value.length <= 2 && isPixels(height) && isPixels(width)) return { kind: "sides", height, width };
    throw refusal(config, name, forms);
  }
  const entries = Object.entries(value as object).filter(([, pixels]) => pixels !== null && pixels !== undefined);
  const keys = entries.map(([key]) => key).sort();
  const { shortest_edge: edge, height, width } = Object.fromEntries(entries) as Readonly<Record<string, unknown>>;
  if (keys.join() === "shortest_edge" && isPixels(edge)) return { kind: "shorter edge", pixels: edge };
  if (keys.join() === "height,width" && isPixels(height) && isPixels(width)) return { kind: "sides", height, width };
  throw refusal(config, name, forms);
}

const isPixels = (value: unknown): value is number => Number.isInteger(value) && (value as number) > 0;

/** @throws UsageError when it is there and neither true nor false */
export function flagField<T extends boolean | undefined>(config: Config, name: string, fallback: T): boolean | T {
  const value = config.given(name);
  if (value === undefined) return fallback;
  if (typeof value === "boolean") return value;
  throw refusal(config, name, "true or false is needed");
}

/** Pillow's code, or the filter's name. */
export function filterField(config: Config, name: string): Filter | undefined {
  const value = config.given(name);
  if (value === undefined) return undefined;
  const filter =
    typeof value === "number" ? filters[value] : filters.find((known) => known === `${value}`.toLowerCase());
  if (filter) return filter;
  throw refusal(
    config,
    name,
    `it must be one of Pillow's filters (${filters.map((known, i) => `${i} ${known}`).join(", ")})`,
  );
}

/** @throws UsageError when it is there and no number above 0 */
export function positiveField(config: Config, name: string, fallback: number): number {
  const value = config.given(name) ?? fallback;
  if (typeof value === "number" && value > 0 && value < Infinity) return value;
  throw refusal(config, name, "a number above 0 is needed");
}

/** Three numbers, one a channel, or one for all. */
export function channelsField(config: Config, ...names: readonly string[]): Normalization["mean"] | undefined {
  const name = names.find((known) => config.given(known) !== undefined);
  if (name === undefined) return undefined;
  const value = config.given(name);
  const all = typeof value === "number" ? [value, value, value] : value;
  const isNumber = (x: unknown): boolean => typeof x === "number" && Number.isFinite(x);
  if (Array.isArray(all) && all.length === 3 && all.every(isNumber)) return all as unknown as Normalization["mean"];
  throw refusal(config, name, "three numbers are needed, one a channel");
}

/** @throws UsageError when a deviation is not above 0 */
export function checkedDeviations(config: Config, std: Normalization["std"]): Normalization["std"] {
  if (std.every((value) => value > 0)) return std;
  throw new UsageError(`${config.path}: its standard deviations are ${std.join(", ")}; numbers above 0 are needed.`);
}
