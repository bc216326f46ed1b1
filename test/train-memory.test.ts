import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { saveEncoder } from "../src/models/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { expectRefused, lore } from "./in-process.ts";

const base = mkdtempSync(join(tmpdir(), "lore-train-memory-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const at = (name: string): string => join(base, name);
saveEncoder(tinyEncoder(), at("tiny"));

const train = (out: string, ...more: readonly string[]): readonly string[] => [
  ...["train", "--encoder", at("tiny"), "--data", "synthetic:8", "--out", at(out), "--batch", "8", "--epochs", "1"],
  ...["--attack-steps", "1", "--threads", "1", ...more],
];

test("--memory: what is too little is refused with what is needed; what is enough chooses the micro-batch", async () => {
  await expectRefused(train("little", "--memory", "1MiB"), /1 MiB of memory are too little.*takes \d+ MiB/);
  await expectRefused(train("little", "--memory", "8"), /--memory.*8GiB or 512MiB/);
  const { code, stderr } = await lore(train("enough", "--memory", "2GiB"));
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/Micro-batches of 8 images, of a batch of 8: about \d+ MiB of memory/);
});

test("--memory beside --micro-batch is refused: the one is chosen by the other", async () => {
  await expectRefused(train("both", "--memory", "2GiB", "--micro-batch", "4"), /either the memory or the micro-batch/);
});
