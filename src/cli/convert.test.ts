import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { LoreError } from "../errors.ts";
import { type Encoder, saveEncoder } from "../models/index.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { convertCommand } from "./convert.ts";

const base = mkdtempSync(join(tmpdir(), "lore-convert-"));
const at = (name: string): string => join(base, name);
afterAll(() => rmSync(base, { recursive: true }));

/** The encoder that is loaded from the converted folder. */
let saved: Encoder;
vi.mock("../models/index.ts", async (original) => {
  const models = await original<typeof import("../models/index.ts")>();
  const loadEncoder: typeof models.loadEncoder = async (spec, options) =>
    spec === at("out") ? saved : models.loadEncoder(spec, options);
  return { ...models, loadEncoder };
});

test.each([
  [
    "other outputs",
    tinyEncoder({ seed: 1 }),
    /4 images: the converted encoder's outputs differ by .* more than 0\.001/,
  ],
  ["another size", tinyEncoder({ imageSize: 12 }), /takes images of 12 pixels, not 8/],
])("an encoder with %s does not count as converted, and is not kept", async (_, found, message) => {
  saveEncoder(tinyEncoder(), at("in"));
  saved = found;
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const args = [
    "--encoder",
    at("in"),
    "--format",
    "safetensors",
    "--out",
    at("out"),
    "--threads",
    "1",
    "--device",
    "cpu",
  ];
  const converted = convertCommand()
    .exitOverride()
    .parseAsync(["node", "lore", ...args]);
  await expect(converted).rejects.toThrow(message);
  await expect(converted).rejects.toThrow(LoreError);
  expect(existsSync(at("out"))).toBe(false);
  vi.restoreAllMocks();
});
