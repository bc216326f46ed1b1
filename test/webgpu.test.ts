import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Evaluation } from "../src/index.ts";
import { lore, runScript } from "./cli.ts";
import { hasSoftwareGpu, softwareGpuEnvironment, whySkipped } from "./software-gpu.ts";
import type { Training } from "./webgpu-training.ts";

type Devices<T> = Readonly<Record<"cpu" | "webgpu", T>>;

async function results<T>(script: string): Promise<Devices<T>> {
  const { code, stdout, stderr } = await runScript(join(import.meta.dirname, script), [], softwareGpuEnvironment());
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Devices<T>;
}

/** Largest difference, relative to the largest element. */
function distance(cpu: readonly number[], webgpu: readonly number[]): number {
  const largest = Math.max(...cpu.map(Math.abs));
  expect(largest).toBeGreaterThan(0);
  expect(webgpu).toHaveLength(cpu.length);
  return Math.max(...cpu.map((value, i) => Math.abs(value - webgpu[i]!))) / largest;
}

/**
 * Both devices compute in float32 (2^-24 = 6e-8 a rounding) but add in other orders, and their exp and erf differ in the
 * last places; some hundred roundings stand behind an element.
 */
const tolerance = 1e-5;

// Software compiles the shaders: half a minute a test on a busy machine.
describe.skipIf(!hasSoftwareGpu)(hasSoftwareGpu ? "WebGPU" : `WebGPU (${whySkipped})`, { timeout: 300_000 }, () => {
  it("gives a transformer's image gradient as the CPU does", async () => {
    const { cpu, webgpu } = await results<readonly number[]>("webgpu-gradient.ts");
    expect(distance(cpu, webgpu)).toBeLessThan(tolerance);
  });

  it("trains as the CPU does, with weights, moments and images in its own memory", async () => {
    const { cpu, webgpu } = await results<Training>("webgpu-training.ts");
    expect(distance(cpu.gradient, webgpu.gradient)).toBeLessThan(tolerance);
    for (const [batch, metrics] of cpu.metrics.entries()) {
      // Four AdamW steps turn the rounding of gradients near zero into some of full size, in a few of 4,000 weights.
      for (const [name, value] of Object.entries(metrics))
        expect(Math.abs(webgpu.metrics[batch]![name]! - value), name).toBeLessThan(1e-4 * Math.abs(value) + 1e-9);
    }
    expect(cpu.metrics[1]!.cleanDistance).toBeGreaterThan(0);
  });

  it("says that a driver without float16 has none, before anything is computed", async () => {
    const args = ["evaluate", "--encoder", join(import.meta.dirname, "../assets/clip-shapes"), "--data", "synthetic:6"];
    const half = [...args, "--device", "webgpu", "--precision", "float16"];
    const { code, stderr } = await lore(half, softwareGpuEnvironment());
    expect(code).toBe(2);
    expect(stderr).toContain("--precision float16 does not work on webgpu here");
  });

  it("measures the accuracy under PGD that the CPU measures", async () => {
    const attack = ["--attack", "pgd", "--steps", "2", "--epsilon", "4/255", "--threads", "1", "--json"];
    const [cpu, webgpu] = await Promise.all(
      ["cpu", "webgpu"].map(async (device) => {
        const encoder = join(import.meta.dirname, "../assets/clip-shapes");
        const args = ["evaluate", "--encoder", encoder, "--data", "synthetic:6", "--batch", "6", ...attack];
        const { code, stdout, stderr } = await lore([...args, "--device", device], softwareGpuEnvironment());
        expect(code, stderr).toBe(0);
        return JSON.parse(stdout) as Evaluation;
      }),
    );
    expect(webgpu!.clean).toBe(cpu!.clean);
    expect(webgpu!.attacks[0]!.accuracy).toBe(cpu!.attacks[0]!.accuracy);
    // Else an attack that does nothing would pass.
    expect(cpu!.attacks[0]!.accuracy).toBeLessThan(cpu!.clean);
  });
});
