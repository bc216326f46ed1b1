import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runScript } from "./cli.ts";
import { hasSoftwareGpu, softwareGpuEnvironment, whySkipped } from "./software-gpu.ts";

/**
 * Relative to the largest element. Both devices compute in float32 (2^-24 = 6e-8 a rounding) but add in other orders, and
 * their exp and erf differ in the last places; some hundred roundings stand behind an element.
 */
const tolerance = 1e-5;

describe.skipIf(!hasSoftwareGpu)(hasSoftwareGpu ? "WebGPU" : `WebGPU (${whySkipped})`, () => {
  // Software compiles the shaders: half a minute on a busy machine.
  it("gives a transformer's image gradient as the CPU does", { timeout: 300_000 }, async () => {
    const script = join(import.meta.dirname, "webgpu-gradient.ts");
    const { code, stdout, stderr } = await runScript(script, [], softwareGpuEnvironment());
    expect(code, stderr).toBe(0);
    const { cpu, webgpu } = JSON.parse(stdout) as Record<"cpu" | "webgpu", readonly number[]>;
    const largest = Math.max(...cpu.map(Math.abs));
    expect(largest).toBeGreaterThan(0);
    expect(webgpu).toHaveLength(cpu.length);
    const error = Math.max(...cpu.map((value, i) => Math.abs(value - webgpu[i]!)));
    expect(error / largest).toBeLessThan(tolerance);
  });
});
