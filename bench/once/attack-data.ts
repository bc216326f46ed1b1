/** Writes the input of bench/peer/autoattack.py to `folder`: `AttackDataOptions` as JSON in, null out. */
import { UsageError } from "../../src/errors.ts";
import { openWhatIsAttacked, type WhatIsAttacked } from "../parity-attacks.ts";
import { readImages, writeForPeer } from "../parity-images.ts";
import { once } from "./once.ts";

await once<WhatIsAttacked & { readonly folder: string }>(async (options) => {
  const { encoder, source } = await openWhatIsAttacked(options);
  if (!encoder.head) throw new UsageError(`${options.encoder} has no fixed head: the peer knows no other classifier.`);
  writeForPeer(options.folder, encoder, source, await readImages(encoder, source, options));
  return null;
});
