import { readFileSync } from "node:fs";

/**
 * Peak memory of this process in bytes. On Linux it does not use `resourceUsage`, which includes the peak of the parent
 * process.
 */
export function peakMemoryBytes(): number {
  if (process.platform !== "linux") return 1024 * process.resourceUsage().maxRSS;
  return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0);
}
