import { readdirSync } from "node:fs";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { Graph } from "../graph/index.ts";
import { gemmRate } from "../profiling/index.ts";
import { compile, type Device, missingLibraries, type Provider, providers } from "../runtime/index.ts";
import { versions } from "../version.ts";
import { command } from "./command.ts";
import { type DeviceState, probed, probedInChild } from "./devices.ts";
import { type Flags, option } from "./option.ts";
import { jsonOption } from "./options.ts";
import { oneOf } from "./parsers.ts";

const devices: readonly Device[] = ["cpu", "webgpu", "cuda"];

interface Diagnosis {
  readonly versions: Readonly<Record<string, string>>;
  readonly platform: string;
  /** `threads`: what a program uses by default. `gflops`: MatMul of 1024 x 1024 matrices, in 1e9 operations a second. */
  readonly cpu: { readonly model: string; readonly cores: number; readonly threads: number; readonly gflops: number };
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  readonly providers: readonly Provider[];
  readonly devices: readonly DeviceState[];
  /** Engine and image decoder work from the installed packages alone: nothing has to be fetched. */
  readonly offline: boolean;
}

const options = {
  json: jsonOption,
  probe: option("--probe <device>", oneOf(devices), {
    help: "try one device in this process",
    topic: "compute",
    hidden: true,
  }),
};

export function doctorCommand() {
  return command({
    name: "doctor",
    description: "show what this machine offers: devices, threads, versions, memory",
    options,
    essentials: ["json"],
    examples: ["doctor", "doctor --json"],
    run,
  });
}

async function run({ json, probe }: Flags<typeof options>): Promise<void> {
  if (probe) {
    process.stdout.write(JSON.stringify(await probed(probe)));
    return;
  }
  const diagnosis = await diagnose();
  process.stdout.write(json ? `${JSON.stringify(diagnosis, undefined, 2)}\n` : `${text(diagnosis)}\n`);
  if (!diagnosis.offline) process.exitCode = 1;
}

async function diagnose(): Promise<Diagnosis> {
  const known = providers();
  const states = await Promise.all(
    devices.map((device) => (device === "cpu" ? probed(device) : probedInChild(device))),
  );
  const sharpVersion = await imageDecoder();
  return {
    versions: { ...versions(), sharp: sharpVersion ?? "does not load" },
    platform: `${process.platform} ${process.arch}`,
    cpu: {
      model: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      threads: await defaultThreads(),
      gflops: (await gemmRate([{ product: square(1024), count: 1 }], {})) / 1e9,
    },
    memory: { totalBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity), freeBytes: freemem() },
    providers: known,
    devices: states,
    offline: states[0]!.works && sharpVersion !== undefined,
  };
}

function square(size: number) {
  return { batch: 1, m: size, k: size, n: size, transA: false, transB: false };
}

/** Threads of an operator including the calling thread, counted where the system lists them; elsewhere the number of cores. */
async function defaultThreads(): Promise<number> {
  if (process.platform !== "linux") return availableParallelism();
  const count = (): number => readdirSync("/proc/self/task").length;
  const g = new Graph();
  const y = g.neg(g.input("x", "float32", [1]));
  const before = count();
  const program = await compile({ y });
  const threads = 1 + count() - before;
  await program.dispose();
  return threads;
}

/** sharp's version, if its native library loads and works. */
async function imageDecoder(): Promise<string | undefined> {
  try {
    const { default: sharp } = await import("sharp");
    const image = { width: 1, height: 1, channels: 3, background: "black" } as const;
    await sharp({ create: image }).png().toBuffer();
    return sharp.versions.sharp;
  } catch {
    return undefined;
  }
}

function text({ versions, platform, cpu, memory, providers, devices, offline }: Diagnosis): string {
  const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const named = providers.map(({ name, bundled }) => (bundled ? name : `${name} (libraries not bundled)`));
  const rows: readonly (readonly [string, string])[] = [
    ...Object.entries(versions),
    ["platform", platform],
    ["CPU", cpu.model.trim()],
    ["cores", `${cpu.cores}; ${cpu.threads} threads by default`],
    ["matrix products", `${cpu.gflops.toFixed(0)} GFLOP/s (1024 x 1024, float32, CPU)`],
    ["memory", `${gibibytes(memory.totalBytes)}, ${gibibytes(memory.freeBytes)} free`],
    ["providers", named.join(", ")],
    ["offline", offline ? "ok: engine and image decoder need nothing fetched" : "no: reinstall the packages (npm ci)"],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const facts = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
  const states = devices.map((state) => `${state.device.padEnd(width)}  ${account(state)}`);
  const hints = devices.flatMap((state) => (state.works ? [] : (missingLibraries(state.device, state.reason) ?? [])));
  return `${facts}\n\nDevices, each tried with a small program:\n${[...states, ...hints].join("\n")}`;
}

function account(state: DeviceState): string {
  if (!state.works) return `no: ${state.reason}`;
  const trains = state.device === "cuda" ? " (training on it is experimental)" : "";
  return state.auto ? `works${trains}` : "works, slower than the CPU (software?): --device auto leaves it out";
}
