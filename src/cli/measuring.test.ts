import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Probes, readFinding } from "../results/index.ts";
import { keptIn, type Measurement, measuring } from "./measuring.ts";

const content: Probes = {
  ...{ train: "a", test: "b", trainImages: 2, testImages: 1, skipped: 0, classes: 2 },
  ...{ encoders: [], warnings: ["told", "not told"] },
};
const flags = { device: "cpu", precision: "float32", batch: 16 } as const;

let folder: string;
const written = { stdout: "", stderr: "" };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lore-measuring-"));
  Object.assign(written, { stdout: "", stderr: "" });
  for (const name of ["stdout", "stderr"] as const)
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      written[name] += String(chunk);
      return true;
    });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(folder, { recursive: true });
});

const measured = (measure: Measurement<Probes>["measure"], more: Partial<Measurement<Probes>> = {}) =>
  measuring("probes", async () => ({
    ...{ measure, stopped: () => keptIn(folder, "3 accuracies"), text: () => "the table" },
    ...more,
  }));

test("a measurement is kept and printed; warnings are told once, skipped images listed", async () => {
  const run = measured(
    async ({ onSkip, onWarning, batch, device }) => {
      expect({ batch, device }).toEqual({ batch: 16, device: "cpu" });
      onSkip({ id: "broken.png", reason: "it is empty" });
      onWarning("told");
      return content;
    },
    { warnings: ({ warnings = [] }) => warnings, notes: ({ test }) => [`Missing: ${test}`] },
  );
  await run({ ...flags, out: folder });
  expect(written.stdout).toBe("the table\n");
  expect(written.stderr.match(/Warning: .*/g)).toEqual(["Warning: told", "Warning: not told"]);
  expect(written.stderr).toMatch(/^Missing: b$/m);
  expect(written.stderr).toContain("Skipped 1 file that is no readable image:\n  broken.png: it is empty\n");
  expect(readFinding(folder)).toMatchObject({ kind: "probes", content });
});

test("--json prints the content, or what the command makes of it, and nothing else", async () => {
  await measured(async () => content)({ ...flags, json: true });
  expect(JSON.parse(written.stdout)).toEqual(content);
  written.stdout = "";
  await measured(async () => content, { json: ({ test }) => [test] })({ ...flags, json: true });
  expect(JSON.parse(written.stdout)).toEqual(["b"]);
});

test("Ctrl-C ends with 130 and says how to go on; nothing is printed, no finding kept", async () => {
  const run = measured(
    ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        process.emit("SIGINT");
      }),
  );
  await run({ ...flags, out: folder });
  expect(process.exitCode).toBe(130);
  expect(written.stdout).toBe("");
  expect(written.stderr).toContain(`Stopped. ${folder} keeps 3 accuracies. Go on with the same command.`);
  expect(() => readFinding(folder)).toThrow(/holds no measurement/);
});

test("what was interrupted and ends all the same counts; other errors pass", async () => {
  await measured(async () => {
    process.emit("SIGINT");
    return content;
  })(flags);
  expect(written.stdout).toBe("the table\n");
  expect(process.exitCode).toBeUndefined();
  await expect(measured(() => Promise.reject(new TypeError("a fault")))(flags)).rejects.toThrow("a fault");
});
