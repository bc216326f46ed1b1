import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { UsageError } from "./errors.ts";
import { refuseLfsPointer } from "./lfs.ts";

/*
 * Text files that people and other programs write: names of classes, captions, templates, settings. Editors put a byte
 * order mark in front of some, and PowerShell writes UTF-16; both would otherwise end up in the first name.
 */

/** The encoding that a byte order mark in front of the text tells; UTF-8 without one. */
function encodingOf([first, second]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
}

/** Text in UTF-8, or in UTF-16 behind a byte order mark, without the mark. What is no text becomes U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}

/**
 * A text file as `decodeText` reads it.
 *
 * @throws UsageError when it cannot be read, or is in another encoding, which would change names without a word
 */
export function readText(path: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  refuseLfsPointer(bytes, path);
  try {
    return new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`${path} is no text in UTF-8: save it in that encoding.`, { cause });
  }
}

/** Lines, however they end: those of Windows and of old Macs as well. */
export function linesOf(text: string): string[] {
  return text.split(/\r\n|\r|\n/);
}

/**
 * Parses a JSON file. The content is `unknown`: whoever reads it checks it.
 *
 * @throws UsageError when it cannot be read or is no JSON
 */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new UsageError(`${path} is not valid JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/**
 * Reads a file of YAML. JSON is YAML too.
 *
 * @param what it is, for messages: "Suite FILE"
 * @throws UsageError when it is neither
 */
export function readYaml(path: string, what: string): unknown {
  const text = readText(path);
  try {
    return parse(text) as unknown;
  } catch (cause) {
    throw new UsageError(`${what} is neither YAML nor JSON: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}
