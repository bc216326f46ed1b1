import { type Command, InvalidArgumentError, Option } from "commander";
import { readSize } from "../epsilon.ts";
import { UsageError } from "../errors.ts";
import type { CompileOptions, Device } from "../runtime/index.ts";
import { tryDevice } from "../runtime/index.ts";
import { fastestDevice } from "./devices.ts";

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

/** Options that mean the same in every command that computes. */
export interface ComputeFlags {
  readonly device: Device | "auto";
  readonly precision?: "float32" | "float16";
  readonly threads?: number;
  readonly seed: number;
  readonly json?: true;
}

export function withComputeFlags(command: Command): Command {
  return command
    .addOption(
      new Option("--device <name>", "where to compute: auto is a GPU if there is one, else the CPU")
        .choices(["auto", "cpu", "webgpu", "cuda"])
        .default("auto"),
    )
    .addOption(
      new Option("--precision <type>", "of matrix products and convolutions; float16 is for GPUs, all else is float32")
        .choices(["float32", "float16"])
        .default("float32"),
    )
    .option("--threads <n>", "threads on CPU (default: one a core)", parseCount)
    .option("--seed <n>", "seed of everything random", parseSeed, 0)
    .option("--json", "print JSON on stdout and nothing else");
}

/** Of commands that train. */
export function microBatchOption(): Option {
  return new Option(
    "--micro-batch <n>",
    "images through the encoder at a time (default: as many as make its products efficient on CPU, the batch on a GPU)",
  ).argParser(parseCount);
}

/** Options shared by commands that read images of any sources. */
export interface ReadFlags {
  readonly imageSize?: number;
  readonly batch: number;
  readonly limit?: number;
  readonly strict?: true;
}

/** @param batch the default, or a sentence about it where it depends on other options */
export function withReadFlags(command: Command, batch: number | string): Command {
  return command
    .option(
      "--image-size <n>",
      "side of the input in pixels; what images are resized to before they are cut scales in proportion (default: the encoder's own)",
      parseCount,
    )
    .addOption(batchOption(batch))
    .option("--limit <n>", "use this many images, taken class by class in turn", parseCount)
    .option(
      "--strict",
      "end where anything that was asked for is left out (an image that cannot be read, a class without images, a name that is cut off, ...), instead of a warning",
    );
}

function batchOption(batch: number | string): Option {
  if (typeof batch === "number")
    return new Option("--batch <n>", "images a batch").argParser(parseCount).default(batch);
  return new Option("--batch <n>", `images a batch (default: ${batch})`).argParser(parseCount);
}

/** Options shared by commands that read images of one source. */
export interface ImageFlags extends ReadFlags {
  readonly classes?: string;
}

export function withImageFlags(command: Command, batch: number | string): Command {
  return withReadFlags(command, batch).option(
    "--classes <file>",
    "JSON file with class names: a list, or names and head indices by folder",
  );
}

/**
 * Where and how to compute: what the flags say, "auto" being the device that is fastest here.
 *
 * @throws UsageError when the device cannot compute in float16
 */
export async function compileFlags({ device, threads, precision = "float32" }: ComputeFlags): Promise<CompileOptions> {
  const chosen = device === "auto" ? await fastestDevice() : device;
  if (precision === "float16" && chosen !== "cpu") await halfOn(chosen);
  return { device: chosen, precision, ...(threads !== undefined && { threads }) };
}

async function halfOn(device: Device): Promise<void> {
  await tryDevice(device, "float16").catch((cause: unknown) => {
    throw new UsageError(
      `--precision float16 does not work on ${device} here; leave it out. ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  });
}
