/** Measures APGD-CE in a process of its own: `WhatIsAttacked` as JSON in, `Measured` out. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { measure, openWhatIsAttacked, type WhatIsAttacked } from "../parity-attacks.ts";
import { once } from "./once.ts";

await once<WhatIsAttacked>(async (options) => {
  const { encoder, source } = await openWhatIsAttacked(options);
  const folder = mkdtempSync(join(tmpdir(), "lore-attack-"));
  try {
    return await measure(folder, encoder, source, "apgd-ce", options);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
