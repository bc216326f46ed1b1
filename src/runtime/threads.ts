import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { CompileOptions } from "./program.ts";

/**
 * How many threads an operator gets unless told otherwise: one a core. Where ONNX Runtime does not know the processor it
 * takes half of what Linux counts, as if each core ran two threads; where that is not so, half of the machine would idle.
 * Elsewhere than on Linux it knows better than we do.
 */
export function usualThreads(): Pick<CompileOptions, "threads"> {
  return threadsOf("/sys/devices/system/cpu", availableParallelism());
}

/**
 * @param folder what Linux says of its processors
 * @param available processors that this process may keep busy
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
