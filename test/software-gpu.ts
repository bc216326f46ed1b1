import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * SwiftShader, a Vulkan driver in software: WebGPU without a GPU. Debian has the driver in its package `chromium` and the
 * loader that finds it in `libvulkan1`.
 */
const driver = "/usr/lib/chromium/vk_swiftshader_icd.json";

export const hasSoftwareGpu = existsSync(driver);

/** Said in the name of a suite that is skipped for want of it. */
export const whySkipped = `skipped: ${driver} is not there; install chromium and libvulkan1 on Debian`;

/** Variables that the Vulkan loader reads when a process starts: too late to set in a process that runs already. */
export function softwareGpuEnvironment(): Readonly<Record<string, string>> {
  return { VK_ICD_FILENAMES: driver, XDG_RUNTIME_DIR: mkdtempSync(join(tmpdir(), "software-gpu-")) };
}
