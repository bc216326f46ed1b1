import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "vitest";

/** The folder of real weights, photographs and reference values that some tests measure against. */
export const sharedData = join(import.meta.dirname, "..", "..", "shared", "data");

const present = existsSync(sharedData);

/** A suite that needs `sharedData`; skipped, and said so in its place, where the folder is absent. */
export function describeWithData(name: string, suite: () => void): void {
  if (present) describe(name, suite);
  // Vitest calls a skipped suite, too, to learn its tests' names: it may read what is not there.
  else test.skip(`${name} (skipped: ${sharedData} is not there)`);
}
