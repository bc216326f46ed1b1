import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { pgd } from "../../attacks/index.ts";
import { synthetic } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { nearestOthers, overlap } from "../../inference/neighbours.ts";
import type { Encoder } from "../../models/index.ts";
import { tinyEncoder } from "../../testing/tiny.ts";
import { driftOf } from "./drift.ts";
import { measureFidelity } from "./fidelity.ts";

const source = synthetic({ count: 24, split: "test" });
const cache = mkdtempSync(join(tmpdir(), "lore-fidelity-"));
afterAll(() => rmSync(cache, { recursive: true, force: true }));
const options = { device: "cpu", threads: 1, cache } as const;

/** The same encoder with all embeddings times a number. */
function scaled(encoder: Encoder, factor: number): Encoder {
  const embed: Encoder["embed"] = (pixels, weights) => pixels.graph.mul(encoder.embed(pixels, weights), factor);
  return new Proxy(encoder, {
    get: (target, name) => (name === "embed" ? embed : Reflect.get(target, name, target)),
  });
}

describe("drift", () => {
  it("is what the definitions give", () => {
    const drift = driftOf(Float32Array.of(3, 4, 1, 0), Float32Array.of(3, 0, 0, 2), 2);
    expect(drift.distance).toMatchObject({ mean: 10.5, median: 10.5 });
    // 16 / 25 and 5 / 1; cosines 3 / 5 and 0.
    expect(drift.relative.mean).toBeCloseTo((16 / 25 + 5) / 2, 12);
    expect(drift.cosine.mean).toBeCloseTo(0.3, 12);
  });
});

describe("neighbours", () => {
  it("are those of smallest angle, without the image itself", () => {
    const angles = [0, 10, 25, 90, 100];
    const rows = Float32Array.from(
      angles.flatMap((a) => [Math.cos((a * Math.PI) / 180), Math.sin((a * Math.PI) / 180)]),
    );
    expect(nearestOthers(rows, rows, 2, 2)).toEqual([
      [1, 2],
      [0, 2],
      [1, 0],
      [4, 2],
      [3, 2],
    ]);
  });

  it("overlap by the share of the first that the second has", () => {
    expect(
      overlap(
        [
          [1, 2],
          [0, 2],
        ],
        [
          [2, 3],
          [2, 0],
        ],
      ),
    ).toBe(0.75);
  });
});

describe("fidelity", () => {
  it("of an encoder to itself is perfect", async () => {
    const found = await measureFidelity(tinyEncoder(), tinyEncoder(), source, options);
    expect(found.images).toBe(24);
    expect(found.clean.distance).toMatchObject({ mean: 0, high: 0 });
    // Cosines are computed from float32 rows in float64.
    expect(found.clean.cosine.mean).toBeCloseTo(1, 12);
    expect(found.violationRate).toBe(0);
    expect(found.neighbours).toEqual({ k: 10, clean: 1 });
    expect(found.histogram.counts[0]).toBe(24);
  });

  it("of doubled embeddings: relative distance 1, cosine 1, the same neighbours, violated below rho 1 only", async () => {
    const at = (rho: number) => measureFidelity(tinyEncoder(), scaled(tinyEncoder(), 2), source, { ...options, rho });
    const [tight, loose] = [await at(0.5), await at(1.25)];
    expect(tight.clean.relative.low).toBeCloseTo(1, 5);
    expect(tight.clean.cosine.low).toBeCloseTo(1, 5);
    expect(tight.neighbours.clean).toBe(1);
    expect([tight.violationRate, loose.violationRate]).toEqual([1, 0]);
    // 1 / 1.25 lies in [0.75, 1).
    expect(loose.histogram.counts).toEqual([0, 0, 0, 24, 0, 0, 0, 0, 0]);
  });

  it("suffers from an attack, measured from the original's clean embedding", async () => {
    const attack = pgd({ epsilon: 8 / 255, steps: 5, loss: "embedding-l2" });
    const own = await measureFidelity(tinyEncoder(), tinyEncoder(), source, { ...options, limit: 8, attack });
    expect(own.attacked!.distance.low).toBeGreaterThan(0);
    const other = await measureFidelity(tinyEncoder(), scaled(tinyEncoder(), 2), source, {
      ...options,
      limit: 8,
      attack,
    });
    // From a clean distance of one norm: away from the original, the attack only adds to it.
    expect(other.attacked!.relative.low).toBeGreaterThan(other.clean.relative.high);
  });

  it("goes on after a stop, and comes to the same", async () => {
    const attack = pgd({ epsilon: 4 / 255, steps: 2, loss: "embedding-l2" });
    // More images than are attacked at a time.
    const many = synthetic({ count: 140, split: "test" });
    const at = (folder: string, more: object = {}) =>
      measureFidelity(tinyEncoder(), tinyEncoder(), many, { ...options, cache: join(cache, folder), attack, ...more });
    const whole = await at("whole");
    const stop = new AbortController();
    const phases: string[] = [];
    const onProgress = ({ phase, done }: { readonly phase: string; readonly done: number }): void => {
      phases.push(`${phase} ${done}`);
      if (phase === "attacked") stop.abort(new Error("enough"));
    };
    await expect(at("half", { signal: stop.signal, onProgress })).rejects.toThrow("enough");
    expect(phases.at(-1)).toBe("attacked 128");
    expect(await at("half")).toEqual(whole);
  });

  it("refuses captions without a text tower", async () => {
    const captions = new Map([[0, ["a circle"]]]);
    await expect(measureFidelity(tinyEncoder(), tinyEncoder(), source, { ...options, captions })).rejects.toThrow(
      /no text tower/,
    );
  });

  it("refuses encoders whose embeddings do not compare, and a single image", async () => {
    const wide = tinyEncoder({ imageSize: 12 });
    await expect(measureFidelity(tinyEncoder(), wide, source, options)).rejects.toThrow(/do not compare/);
    await expect(measureFidelity(tinyEncoder(), tinyEncoder(), source, { ...options, limit: 1 })).rejects.toThrow(
      UsageError,
    );
  });
});
