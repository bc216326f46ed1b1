import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";

/** The folder of real weights, photographs and reference values that some tests measure against. */
export const sharedData = join(import.meta.dirname, "..", "..", "shared", "data");

const present = existsSync(sharedData);

/** A suite that needs `sharedData`; skipped, and said so in its name, where the folder is absent. */
export function describeWithData(name: string, suite: () => void): void {
  if (present) describe(name, suite);
  else describe.skip(`${name} (skipped: ${sharedData} is not there)`, suite);
}
