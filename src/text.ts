import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { UsageError } from "./errors.ts";
import { refuseLfsPointer } from "./lfs.ts";

/*
 * Text files that people and other programs write: names of classes, captions, templates, settings. Editors put a byte
 * order mark in front of some, and PowerShell writes UTF-16; both would otherwise end up in the first name.
 */

/** Encoding given by a leading byte order mark; UTF-8 without one. */
function encodingOf([first, second]: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  return first === 0xfe && second === 0xff ? "utf-16be" : "utf-8";
}

/** Decodes UTF-8, or UTF-16 with a byte order mark, and drops the mark. Invalid bytes become U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}

/**
 * Reads a text file by `decodeText`.
 *
 * @throws UsageError when it cannot be read, or is in another encoding, which would change names silently
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

/** Splits text into lines, with any line ending, including Windows's and old Macs'. */
export function linesOf(text: string): string[] {
  return text.split(/\r\n|\r|\n/);
}

/**
 * Parses a JSON file. The content is `unknown`: the caller checks it.
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
