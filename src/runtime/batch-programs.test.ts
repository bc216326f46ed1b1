import fc from "fast-check";
import { expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { ProgramLadder } from "./batch-programs.ts";
import { compile } from "./index.ts";

/** y = 2 x for a batch of rows of 3. */
function doubling(batch: number) {
  const x = new Graph().input("x", "float32", [batch, 3]);
  return compile({ y: x.graph.mul(x, 2) }, { threads: 1 });
}

test("each size is compiled once, when it is first asked for", async () => {
  const built: number[] = [];
  const ladder = new ProgramLadder((batch) => {
    built.push(batch);
    return doubling(batch);
  }, 40);
  for (const size of [40, 10, 40, 3, 10, 1]) expect((await ladder.at(size)).inputs[0]!.shape[0]).toBe(size);
  expect(built).toEqual([40, 10, 3, 1]);

  const { y } = await (await ladder.at(1)).run({ x: Float32Array.of(1, 2, 3) });
  expect(y).toEqual(Float32Array.of(2, 4, 6));
  await ladder.dispose();
});

test("programs are filled, the last by three quarters at least, and no row is left out", () => {
  const ladder = (largest: number) => new ProgramLadder(doubling, largest);
  expect(ladder(16).sizes(1000)).toEqual([16]);
  expect(ladder(16).sizes(12)).toEqual([16]);
  expect(ladder(16).sizes(11)).toEqual([4, 4, 4]);
  expect(ladder(16).sizes(9)).toEqual([4, 4, 1]);
  expect(ladder(16).sizes(0)).toEqual([]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.integer({ min: 1, max: 90 }), (largest, count) => {
      const sizes = ladder(largest).sizes(count);
      const held = sizes.reduce((sum, size) => sum + size, 0);
      const wanted = Math.min(count, largest);
      expect(held).toBeGreaterThanOrEqual(wanted);
      expect(wanted - (held - sizes.at(-1)!)).toBeGreaterThanOrEqual(0.75 * sizes.at(-1)!);
    }),
  );
});

test("a program that cannot be compiled fails the call, not only the disposal", async () => {
  const ladder = new ProgramLadder(() => Promise.reject(new Error("no such device")), 4);
  await expect(ladder.at(4)).rejects.toThrow("no such device");
  await ladder.dispose();
});
