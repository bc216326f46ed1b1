import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { type SyntheticOptions, synthetic } from "./synthetic.ts";
import { renderSynthetic } from "./synthetic-render.ts";
import { colours, sceneOf, shapes } from "./synthetic-scene.ts";
import { outlines } from "./synthetic-shapes.ts";

const splits = ["train", "test", "heldout"] as const;
const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const split = fc.constantFrom(...splits);
const index = fc.integer({ min: 0, max: 5000 });

/** The classes that occur, by name. */
function pairsOf(options: SyntheticOptions): Set<string> {
  const source = synthetic({ ...options, label: "colour-shape" });
  return new Set(source.items.map((item) => source.classes![item.label!]!.name));
}

describe("synthetic", () => {
  it("holds out exactly the pairs that train and test never show, whatever the seed", () => {
    const heldOut = pairsOf({ split: "heldout", count: 64, seed: 5 });
    expect(heldOut.size).toBe(8);
    expect(new Set([...heldOut].map((pair) => pair.split(" ")[0])).size).toBe(8);
    expect(new Set([...heldOut].map((pair) => pair.split(" ")[1])).size).toBe(8);
    for (const seed of [0, 1, 77]) {
      for (const split of ["train", "test"] as const) {
        const shown = pairsOf({ split, count: 300, seed });
        expect(shown.size).toBe(56);
        expect([...shown].filter((pair) => heldOut.has(pair))).toEqual([]);
      }
    }
  });

  it("labels and captions agree with each other", () => {
    fc.assert(
      fc.property(seeds, split, (seed, split) => {
        const by = (label: "shape" | "colour" | "colour-shape") => synthetic({ count: 20, seed, split, label });
        const [byShape, byColour, byPair] = [by("shape"), by("colour"), by("colour-shape")];
        byShape.items.forEach((item, i) => {
          const shape = byShape.classes![item.label!]!.name;
          const colour = byColour.classes![byColour.items[i]!.label!]!.name;
          expect(byPair.classes![byPair.items[i]!.label!]).toEqual({
            folder: `${colour}-${shape}`,
            name: `${colour} ${shape}`,
          });
          expect(item.caption).toContain(`${colour} ${shape}`);
          expect(item.caption).not.toMatch(/\ba [aeiou]|\ban [^aeiou]/);
        });
      }),
      { numRuns: 30 },
    );
  });

  it("is nearly balanced in any prefix, and a longer set begins with the shorter one", () => {
    const counts = new Array<number>(8).fill(0);
    const short = synthetic({ count: 112, seed: 9 });
    for (const item of short.items) counts[item.label!]!++;
    expect(counts).toEqual(new Array(8).fill(14));
    expect(synthetic({ count: 300, seed: 9 }).items.slice(0, 112)).toEqual(short.items);
  });

  it("refuses options out of range", () => {
    expect(() => synthetic({ count: 0 })).toThrow(UsageError);
    expect(() => synthetic({ count: 1.5 })).toThrow(/count 1.5/);
    expect(() => synthetic({ seed: 0.5 })).toThrow(/seed 0.5/);
    expect(() => synthetic({ split: "val" as "test" })).toThrow(/train, test, heldout/);
  });
});

describe("renderSynthetic", () => {
  it("draws the same picture for the same (seed, split, index), and another one for any other", () => {
    fc.assert(
      fc.property(seeds, split, index, (seed, split, index) => {
        const draw = (s: number, i: number) => renderSynthetic(s, split, i, 16).data;
        expect(draw(seed, index)).toEqual(draw(seed, index));
        expect(draw(seed, index)).not.toEqual(draw(seed, index + 1));
        expect(draw(seed, index)).not.toEqual(draw(seed + 1, index));
        expect(draw(seed, index)).not.toEqual(
          renderSynthetic(seed, split === "test" ? "train" : "test", index, 16).data,
        );
      }),
      { numRuns: 30 },
    );
  });

  it("draws what it drew when this was written: published numbers rest on these pictures", () => {
    const images = [0, 1, 2, 3].map((image) => renderSynthetic(0, "train", image, 24).data);
    expect(createHash("sha256").update(Buffer.concat(images)).digest("hex").slice(0, 16)).toBe("4416d0b98e5656ca");
    expect(synthetic({ count: 2 }).items.map(({ caption }) => caption)).toEqual([
      "a picture of a plain yellow crescent on an orange background",
      "a checked green ring in front of a cyan backdrop",
    ]);
  });

  it("shows the same picture at every size", () => {
    for (let image = 0; image < 20; image++) {
      const small = renderSynthetic(3, "train", image, 32).data;
      const large = renderSynthetic(3, "train", image, 128);
      // Average 4x4 blocks of the large one.
      let difference = 0;
      for (let y = 0; y < 32; y++) {
        for (let x = 0; x < 32; x++) {
          for (let c = 0; c < 3; c++) {
            let sum = 0;
            for (let k = 0; k < 16; k++) sum += large.data[((y * 4 + (k >> 2)) * 128 + x * 4 + (k & 3)) * 3 + c]!;
            difference += Math.abs(sum / 16 - small[(y * 32 + x) * 3 + c]!);
          }
        }
      }
      expect(difference / small.length).toBeLessThan(6);
    }
  });

  it("gives the main shape enough contrast and room: its colour dominates somewhere in every picture", () => {
    for (let image = 0; image < 200; image++) {
      const { data } = renderSynthetic(1, "train", image, 32);
      const mean = [0, 1, 2].map((c) => data.filter((_, i) => i % 3 === c).reduce((a, b) => a + b, 0) / 1024);
      const far = Array.from({ length: 1024 }, (_, i) =>
        Math.max(...mean.map((level, c) => Math.abs(level - data[i * 3 + c]!))),
      ).filter((distance) => distance > 30).length;
      expect(far).toBeGreaterThan(40);
    }
  });
});

describe("outlines", () => {
  it.each(shapes)("%s fits the unit circle and fills a fair part of it", (shape) => {
    let inside = 0;
    const steps = 100;
    for (let i = 0; i < steps * steps; i++) {
      const x = ((i % steps) / steps) * 4 - 2;
      const y = (Math.floor(i / steps) / steps) * 4 - 2;
      if (outlines[shape](x, y) >= 0) continue;
      inside++;
      expect(Math.hypot(x, y)).toBeLessThan(1.03);
    }
    const area = (inside / steps / steps) * 16;
    expect(area).toBeGreaterThan(0.9);
    expect(area).toBeLessThan(2.2);
  });

  it("tells distances: no faster than 1 along any line", () => {
    const coordinate = fc.double({ min: -1.5, max: 1.5, noNaN: true });
    fc.assert(
      fc.property(fc.constantFrom(...shapes), coordinate, coordinate, coordinate, coordinate, (shape, x, y, u, v) => {
        const change = Math.abs(outlines[shape](x, y) - outlines[shape](u, v));
        expect(change).toBeLessThanOrEqual(Math.hypot(x - u, y - v) + 1e-9);
      }),
    );
  });
});

describe("sceneOf", () => {
  it("never hides a shape on its own colour", () => {
    fc.assert(
      fc.property(seeds, split, index, (seed, split, index) => {
        const scene = sceneOf(seed, split, index);
        expect(scene.background).not.toBe(scene.colour);
        expect(colours).toContain(scene.colour);
      }),
    );
  });
});
