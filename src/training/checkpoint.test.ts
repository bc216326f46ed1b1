import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { LoreError, UsageError } from "../errors.ts";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { RunFolder } from "./run-folder.ts";

const base = mkdtempSync(join(tmpdir(), "lore-checkpoint-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let count = 0;
const fresh = (): string => join(base, `${count++}`);

const checkpoint = (step: number): Checkpoint => ({
  progress: { step, images: 8 * step, epoch: 0, cursor: 8 * step },
  tensors: new Map([["w", { dtype: "float32", shape: [2], data: Float32Array.of(step, -step) }]]),
});
const line = (step: number) => ({
  step,
  epoch: step / 4,
  images: 8 * step,
  advDistance: 1,
  cleanDistance: 0,
  learningRate: 1e-5,
  imagesPerSecond: 3,
});

describe("checkpoints", () => {
  test("come back as they were", () => {
    const path = join(fresh(), "last.safetensors");
    writeCheckpoint(path, checkpoint(3));
    expect(readCheckpoint(path)).toEqual(checkpoint(3));
  });

  test.runIf(existsSync("/dev/full"))("a disk that is full leaves the old one, and nothing beside it", () => {
    const folder = fresh();
    const path = join(folder, "last.safetensors");
    writeCheckpoint(path, checkpoint(1));
    // The temporary file that writing begins with: here every write to it fails as on a full disk.
    symlinkSync("/dev/full", `${path}.${process.pid}.tmp`);
    expect(() => writeCheckpoint(path, checkpoint(2))).toThrow(LoreError);
    symlinkSync("/dev/full", `${path}.${process.pid}.tmp`);
    expect(() => writeCheckpoint(path, checkpoint(2))).toThrow(/Cannot write .*last\.safetensors.*ENOSPC/);
    expect(readCheckpoint(path)).toEqual(checkpoint(1));
    expect(readdirSync(folder)).toEqual(["last.safetensors"]);
  });

  test("missing or damaged: an error that names the file", () => {
    const path = join(fresh(), "last.safetensors");
    expect(() => readCheckpoint(path)).toThrow(UsageError);
    expect(() => readCheckpoint(path)).toThrow(/no checkpoint at .*last\.safetensors/);
    writeCheckpoint(path, checkpoint(1));
    writeFileSync(path, readFileSync(path).subarray(0, -3));
    expect(() => readCheckpoint(path)).toThrow(UsageError);
    expect(() => readCheckpoint(path)).toThrow(/last\.safetensors is damaged.*cut short/);
  });
});

describe("a run folder", () => {
  test("is made once: a second time is refused, and nothing is overwritten", () => {
    const path = fresh();
    RunFolder.create(path, { seed: 1 });
    const before = readFileSync(join(path, "run.json"), "utf8");
    expect(() => RunFolder.create(path, { seed: 2 })).toThrow(UsageError);
    expect(() => RunFolder.create(path, { seed: 2 })).toThrow(
      /already holds a run.*--resume.*--out.*nothing was overwritten/,
    );
    expect(readFileSync(join(path, "run.json"), "utf8")).toBe(before);
  });

  test("may be an empty folder, not one with something in it, not a file, not below a file", () => {
    const [empty, full, file] = [fresh(), fresh(), fresh()];
    mkdirSync(empty);
    expect(RunFolder.create(empty, {}).path).toBe(empty);
    mkdirSync(join(full, "encoder"), { recursive: true });
    expect(() => RunFolder.create(full, {})).toThrow(/is not empty.*--out/);
    writeFileSync(file, "mine");
    expect(() => RunFolder.create(file, {})).toThrow(/is a file/);
    expect(() => RunFolder.create(join(file, "run"), {})).toThrow(UsageError);
    expect(readFileSync(file, "utf8")).toBe("mine");
    expect(readdirSync(full)).toEqual(["encoder"]);
  });

  test("to resume must hold a run", () => {
    expect(() => RunFolder.open(fresh())).toThrow(UsageError);
    expect(() => RunFolder.open(fresh())).toThrow(/run\.json is missing/);
  });

  test("restoring drops the metrics of steps that will be run again, also a line half written", () => {
    const path = fresh();
    const run = RunFolder.create(path, {});
    for (const step of [1, 2, 3, 4]) run.append(line(step));
    const metrics = join(path, "metrics.jsonl");
    writeFileSync(metrics, `${readFileSync(metrics, "utf8")}{"step":5,"epo`);
    run.save(checkpoint(2));
    expect(RunFolder.open(path).restore()).toEqual(checkpoint(2));
    expect(readFileSync(metrics, "utf8")).toBe(`${JSON.stringify(line(1))}\n${JSON.stringify(line(2))}\n`);
  });
});
