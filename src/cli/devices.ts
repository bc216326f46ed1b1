import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Device } from "../runtime/index.ts";
import { fasterThanCpu, tryDevice } from "../runtime/index.ts";

/** The outcome of a small program on a device: whether it ran and `--device auto` may choose the device, or why it did not run. */
export type DeviceState = { readonly device: Device } & (
  | { readonly works: true; readonly auto: boolean }
  | { readonly works: false; readonly reason: string }
);

/** Tries a device in this process. */
export async function probed(device: Device): Promise<DeviceState> {
  try {
    await tryDevice(device);
    // WebGPU also runs on software drivers, hundreds of times slower than the CPU itself.
    return { device, works: true, auto: device === "cpu" || (await fasterThanCpu(device)) };
  } catch (error) {
    return { device, works: false, reason: short(error instanceof Error ? error.message : String(error)) };
  }
}

/** Tries a device in a child process: a crash of the driver then ends only the child. */
export function probedInChild(device: Device): Promise<DeviceState> {
  const main = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));
  const args = [...process.execArgv, main, "doctor", "--probe", device];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout) => {
      if (!error) return resolve(JSON.parse(stdout) as DeviceState);
      const end = error.killed
        ? "no answer within a minute"
        : `the process ended with ${error.signal ?? `code ${error.code}`}`;
      resolve({ device, works: false, reason: `trying it failed: ${end}` });
    });
  });
}

let fastest: Promise<Device> | undefined;

/** The device for `--device auto`: the first that works and is faster than the CPU. Tried once per process. */
export function fastestDevice(): Promise<Device> {
  fastest ??= mayHaveGpu() ? findFastest() : Promise.resolve("cpu");
  return fastest;
}

async function findFastest(): Promise<Device> {
  const states = await Promise.all((["cuda", "webgpu"] as const).map(probedInChild));
  const found = states.find((state) => state.works && state.auto)?.device ?? "cpu";
  if (found !== "cpu") process.stderr.write(`Computing on ${found}.\n`);
  return found;
}

/** Whether there may be a GPU. On Linux, every driver (the kernel's own, NVIDIA's, AMD's, WSL's) shows it as a file. */
function mayHaveGpu(): boolean {
  const files = ["/dev/dri", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg"];
  return process.platform !== "linux" || files.some((file) => existsSync(file));
}

/** The reason behind ONNX Runtime's report of its own source: `file.cc:136 Initialize(...) ... was false. No adapter`. */
function short(message: string): string {
  const reason = message.split("was false. ").at(-1)!.split("\n")[0]!;
  return reason.replace(/^ONNX Runtime cannot run this graph on \w+: /, "").slice(0, 150);
}
