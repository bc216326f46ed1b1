import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { holdsFinding, keepFinding, readFinding } from "./folder.ts";
import type { Probes } from "./probes.ts";

const folder = mkdtempSync(join(tmpdir(), "lore-finding-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const probes: Probes = {
  train: "photos/train",
  test: "photos/val",
  trainImages: 10,
  testImages: 4,
  classes: 2,
  encoders: [],
};

it("gives a measurement back as it was kept, with command, time and machine", () => {
  const command = ["probe", "--encoder", "a b"];
  expect(holdsFinding(folder)).toBe(false);
  keepFinding(folder, "probes", probes, { command, started: performance.now() - 2000 });
  expect(holdsFinding(folder)).toBe(true);
  const found = readFinding(folder);
  expect(found).toMatchObject({ kind: "probes", command, content: probes });
  expect(found.seconds).toBeGreaterThanOrEqual(2);
  expect(Math.abs(Date.parse(found.date) - Date.now())).toBeLessThan(60_000);
  expect(Object.keys(found.environment.versions)).toContain("node");
});

it("refuses a folder without a measurement, and one of an unknown kind", () => {
  expect(() => readFinding(folder)).toThrow(UsageError);
  keepFinding(folder, "probes", probes, { command: [], started: 0 });
  writeFileSync(join(folder, "finding.json"), JSON.stringify({ kind: "toString", content: {} }));
  expect(() => readFinding(folder)).toThrow(/no measurement of a kind/);
  writeFileSync(join(folder, "finding.json"), JSON.stringify({ kind: "probes", content: { encoders: 3 } }));
  expect(() => readFinding(folder)).toThrow(/damaged: its content has no list of encoders/);
});
