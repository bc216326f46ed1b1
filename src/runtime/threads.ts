import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { CompileOptions } from "./program.ts";

/**
 * Default number of threads per operator: one per core. If ONNX Runtime does not know the processor, it takes half of
 * Linux's count, as if each core ran two threads; otherwise half of the machine would idle. On other systems its own
 * default is better.
 */
export function usualThreads(): Pick<CompileOptions, "threads"> {
  return threadsOf("/sys/devices/system/cpu", availableParallelism());
}

/**
 * @param folder Linux's folder of processors
 * @param available processors available to this process
 */
export function threadsOf(folder: string, available: number): Pick<CompileOptions, "threads"> {
  try {
    const processors = readdirSync(folder).filter((name) => /^cpu\d+$/.test(name));
    const files = processors.map((name) => join(folder, name, "topology", "thread_siblings_list"));
    // Processors of one core name the same siblings. One that is switched off has no topology.
    const cores = new Set(files.filter((file) => existsSync(file)).map((file) => readFileSync(file, "utf8")));
    return cores.size > 0 ? { threads: Math.min(cores.size, available) } : {};
  } catch {
    return {};
  }
}
