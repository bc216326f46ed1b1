import { readFileSync } from "node:fs";

/**
 * Bytes of memory that this process has had at most. On Linux not by `resourceUsage`, which counts those of the process that
 * started it, too.
 */
export function peakMemoryBytes(): number {
  if (process.platform !== "linux") return 1024 * process.resourceUsage().maxRSS;
  return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0);
}
