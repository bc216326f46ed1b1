import { expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { compile } from "./index.ts";
import { ProgramLadder } from "./ladder.ts";

/** y = 2 x for a batch of rows of 3. */
function doubling(batch: number) {
  const x = new Graph().input("x", "float32", [batch, 3]);
  return compile({ y: x.graph.mul(x, 2) }, { threads: 1 });
}

test("few rows get a small program, many the largest, and each is compiled once", async () => {
  const built: number[] = [];
  const ladder = new ProgramLadder((batch) => {
    built.push(batch);
    return doubling(batch);
  }, 40);
  const sizeFor = async (count: number) => (await ladder.at(count)).inputs[0]!.shape[0];
  expect(await sizeFor(Number.POSITIVE_INFINITY)).toBe(40);
  for (const [count, batch] of [
    [40, 40],
    [11, 40],
    [10, 10],
    [4, 10],
    [3, 3],
    [2, 3],
    [1, 1],
  ] as const)
    expect(await sizeFor(count)).toBe(batch);
  expect(built).toEqual([40, 10, 3, 1]);

  const { y } = await (await ladder.at(1)).run({ x: Float32Array.of(1, 2, 3) });
  expect(y).toEqual(Float32Array.of(2, 4, 6));
  await ladder.dispose();
});

test("a program that cannot be compiled fails the call, not only the disposal", async () => {
  const ladder = new ProgramLadder(() => Promise.reject(new Error("no such device")), 4);
  await expect(ladder.at(4)).rejects.toThrow("no such device");
  await ladder.dispose();
});
