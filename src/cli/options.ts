import { defined } from "../defined.ts";
import { UsageError } from "../errors.ts";
import type { CompileOptions, Device } from "../runtime/index.ts";
import { tryDevice } from "../runtime/index.ts";
import { fastestDevice } from "./devices.ts";
import { type Flags, flag, option } from "./option.ts";
import { oneOf, parseCount, parseSeed, text } from "./parsers.ts";

export const jsonOption = flag("--json", { help: "print JSON on stdout and nothing else", topic: "results" });

export const seedOption = option("--seed <n>", parseSeed, {
  help: "seed of everything random",
  topic: "compute",
  default: "0",
});

/** The options of all commands that compute. */
export const computeOptions = {
  device: option("--device <name>", oneOf(["auto", "cpu", "webgpu", "cuda"]), {
    help: "where to compute: auto is a GPU if there is one, else the CPU",
    topic: "compute",
    default: "auto",
  }),
  precision: option("--precision <type>", oneOf(["float32", "float16"]), {
    help: "element type of matrix products and convolutions; float16 is for GPUs, all else stays float32",
    topic: "compute",
    default: "float32",
  }),
  threads: option("--threads <n>", parseCount, { help: "threads on CPU (default: one per core)", topic: "compute" }),
  seed: seedOption,
  json: jsonOption,
};

export type ComputeFlags = Flags<typeof computeOptions>;

/** Flags of device, threads and precision. */
export type DeviceFlags = Pick<ComputeFlags, "device" | "threads"> & Partial<Pick<ComputeFlags, "precision">>;

export const imageSizeOption = option("--image-size <n>", parseCount, {
  help: "side of the input in pixels; the resize before the crop scales in proportion (default: the encoder's own)",
  topic: "encoder",
});

/** The option of commands that train. */
export const microBatchOption = option("--micro-batch <n>", parseCount, {
  help: "images through the encoder at a time (default: on CPU as many as make its products efficient, on a GPU the batch)",
  topic: "training",
});

const batchHelp = { help: "images per batch", topic: "compute" } as const;

/** The options of commands that read images. */
export function readOptions(batch: number) {
  return {
    ...readOptionsWithoutBatch,
    batch: option("--batch <n>", parseCount, { ...batchHelp, default: String(batch) }),
  };
}

/** The same, of commands whose batch depends on other options, in words. */
export function readOptionsWithBatch(batch: string) {
  return {
    ...readOptionsWithoutBatch,
    batch: option("--batch <n>", parseCount, { ...batchHelp, help: `${batchHelp.help} (default: ${batch})` }),
  };
}

const readOptionsWithoutBatch = {
  imageSize: imageSizeOption,
  limit: option("--limit <n>", parseCount, {
    help: "use this many images, taken from each class in turn",
    topic: "data",
  }),
  strict: flag("--strict", {
    help: "fail instead of warning when anything is left out: an image that cannot be read, a class without images, a name that is cut off",
    topic: "data",
  }),
};

export const classesOption = option("--classes <file>", text, {
  help: "JSON file with class names: a list, or names and head indices by folder",
  topic: "data",
});

export interface ReadFlags {
  readonly imageSize?: number;
  readonly batch: number;
  readonly limit?: number;
  readonly strict?: true;
}

/**
 * Compile options from the flags. `auto` is the fastest device of this machine.
 *
 * @throws UsageError when the device cannot compute in float16
 */
export async function compileFlags({ device, threads, precision = "float32" }: DeviceFlags): Promise<CompileOptions> {
  const chosen = device === "auto" ? await fastestDevice() : device;
  if (precision === "float16" && chosen !== "cpu") await checkHalf(chosen);
  return defined({ device: chosen, precision, threads });
}

async function checkHalf(device: Device): Promise<void> {
  await tryDevice(device, "float16").catch((cause: unknown) => {
    throw new UsageError(
      `--precision float16 does not work on ${device} here; leave it out. ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    );
  });
}
