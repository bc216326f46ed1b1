import { InvalidArgumentError } from "commander";
import { readSize } from "../epsilon.ts";
import type { Parser } from "./option.ts";

/** Any text. */
export const text: Parser<string> = (written) => written;

/** One of a few words. */
export function oneOf<const T extends string>(choices: readonly T[]): Parser<T> {
  const parser = (written: string): T => {
    const found = choices.find((choice) => choice === written);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`Allowed choices are ${choices.join(", ")}.`);
  };
  return Object.assign(parser, { choices });
}

/** Parses `2/255` or `0.0078` into pixel units of [0, 1]. */
export function parseEpsilon(text: string): number {
  const value = readSize(text);
  if (!(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError("It must lie in [0, 1], in pixel units: write 2/255 or 0.0078.");
  }
  return value;
}

/** A size in pixel units of any norm: those of l2 and l1 may exceed 1. */
export function parseSize(text: string): number {
  const value = readSize(text);
  if (!(value < Infinity)) throw new InvalidArgumentError("It must be a number in pixel units: write 2/255 or 0.5.");
  return value;
}

export function parseSizes(text: string): readonly number[] {
  return text.split(",").map(parseSize);
}

export function parseCount(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) < 1) throw new InvalidArgumentError("It must be a positive integer.");
  return Number(text);
}

const byteUnits: Readonly<Record<string, number>> = { mib: 2 ** 20, gib: 2 ** 30, mb: 1e6, gb: 1e9 };

/** Parses `8GiB`, `512MiB`, `7.5GB` into bytes. */
export function parseBytes(text: string): number {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text) ?? [];
  const bytes = Number(number) * (byteUnits[unit?.toLowerCase() ?? ""] ?? Number.NaN);
  if (!(bytes >= 1)) throw new InvalidArgumentError("Write it with its unit: 8GiB or 512MiB (or GB, MB).");
  return Math.floor(bytes);
}

export function parseSeed(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be a non-negative integer.");
  return Number(text);
}

export function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError("It must be a non-negative number.");
  return value;
}

/** Parses a share of at least 0 and at most 1. */
export function parseShare(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError("It must be a share from 0 to 1.");
  return value;
}

export function parseFraction(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError("It must be a share of at least 0 and less than 1.");
  return value;
}
