import { describe, expect, it } from "vitest";
import { lore } from "./cli.ts";
import { hasSoftwareGpu, softwareGpuEnvironment, whySkipped } from "./software-gpu.ts";

interface Diagnosis {
  readonly devices: readonly { readonly device: string; readonly works: boolean; readonly reason?: string }[];
}

describe("lore doctor", () => {
  it("says as JSON what the machine offers, and gives a reason for every device that does not work", async () => {
    // A driver that does not exist: WebGPU then fails on every Linux machine, whatever it has.
    const { code, stdout, stderr } = await lore(["doctor", "--json"], { VK_ICD_FILENAMES: "/nowhere.json" });
    expect(code, stderr).toBe(0);
    const diagnosis = JSON.parse(stdout) as Diagnosis;
    expect(diagnosis).toMatchObject({
      versions: {
        "lore-vision": expect.any(String),
        node: process.version,
        onnxruntime: expect.any(String),
        sharp: expect.any(String),
      },
      cpu: {
        model: expect.any(String),
        cores: expect.any(Number),
        threads: expect.any(Number),
        gflops: expect.any(Number),
      },
      memory: { totalBytes: expect.any(Number), freeBytes: expect.any(Number) },
      offline: true,
    });
    expect(diagnosis.devices.map(({ device }) => device)).toEqual(["cpu", "webgpu", "cuda"]);
    expect(diagnosis.devices[0]).toEqual({ device: "cpu", works: true, auto: true });
    for (const { works, reason } of diagnosis.devices) if (!works) expect(reason).toMatch(/^.{1,150}$/);
  });

  const name = "finds WebGPU where there is a driver for it, and leaves one in software out of auto";
  it.skipIf(!hasSoftwareGpu)(hasSoftwareGpu ? name : `${name} (${whySkipped})`, async () => {
    const { stdout } = await lore(["doctor", "--json"], softwareGpuEnvironment());
    const { devices } = JSON.parse(stdout) as Diagnosis;
    expect(devices[1]).toEqual({ device: "webgpu", works: true, auto: false });
  });
});
