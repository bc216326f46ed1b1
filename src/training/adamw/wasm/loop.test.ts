import { expect, test } from "vitest";
import { randomStream } from "../../../random.ts";
import { LoopMemory, simdLoop } from "./index.ts";

const { normal } = randomStream("simd");
const numbers = (length: number): Float32Array => Float32Array.from({ length }, () => normal());

// Shorter than a vector, not a multiple of one, a chunk, several chunks and a rest.
const lengths = [1, 3, 4, 1001, 16_384, 16_385, 40_002];

test.each(lengths)("%i elements: arithmetic as in float32, arrays that are not written stay", (length) => {
  const loop = simdLoop({ arrays: 3, scalars: 2 }, (k, [a, b, c], [s, t]) => ({
    writes: [k.sub(k.mul(a!, s!), k.div(b!, 3)), k.add(k.sqrt(k.mul(a!, a!)), k.mul(c!, t!))],
  }));
  const [a, b, c] = [numbers(length), numbers(length), numbers(length)];
  const f = Math.fround;
  const [s, t] = [f(0.3), f(-1.7)];
  const wanted = [
    a.map((x, i) => f(f(x * s) - f(b[i]! / 3))),
    a.map((x, i) => f(f(Math.sqrt(f(x * x))) + f(c[i]! * t))),
    c.slice(),
  ];
  expect(loop([a, b, c], [s, t])).toBe(0);
  expect([a, b, c]).toEqual(wanted);
});

test.each(lengths)("%i elements: the sum counts each once", (length) => {
  const squares = simdLoop({ arrays: 1 }, (k, [x]) => ({ sum: k.mul(x!, x!) }));
  const x = numbers(length);
  const wanted = x.reduce((sum, value) => sum + value * value, 0);
  // Float32 over at most 4096 positive terms a lane.
  expect(Math.abs(squares([x]) / wanted - 1)).toBeLessThan(1e-5);
  // Twice the same: nothing is left from the call before.
  expect(squares([x])).toBe(squares([x]));
});

test.each(lengths)("%i elements: arrays in the loop's memory, beside others, and nothing next to them", (length) => {
  const memory = new LoopMemory(3 * length);
  const loop = simdLoop({ arrays: 3 }, (k, [a, b, c]) => ({ writes: [k.add(a!, c!), k.mul(b!, c!)], sum: c! }), memory);
  const [a, between, b] = Array.from({ length: 3 }, () => memory.allocate(length));
  for (const array of [a!, between!, b!]) array.set(numbers(length));
  const c = numbers(length).map(Math.abs);
  const before = between!.slice();
  const wanted = [a!.map((x, i) => x + c[i]!), b!.map((x, i) => x * c[i]!)];
  const sum = loop([a!, b!, c]);
  expect([a, b]).toEqual(wanted);
  expect(between).toEqual(before);
  // Float32 over at most 4096 positive terms a lane.
  expect(Math.abs(sum / c.reduce((total, x) => total + x, 0) - 1)).toBeLessThan(1e-5);
});

test("a memory that is full gives arrays elsewhere, which loops change as well", () => {
  const memory = new LoopMemory(8);
  const double = simdLoop({ arrays: 1 }, (k, [x]) => ({ writes: [k.add(x!, x!)] }), memory);
  const arrays = Array.from({ length: 3 }, () => memory.allocate(100_000).fill(1));
  for (const array of arrays) double([array]);
  for (const array of arrays) expect(array.every((x) => x === 2)).toBe(true);
  expect(arrays.at(-1)!.buffer).not.toBe(arrays[0]!.buffer);
});

test("parts of a larger array, and empty ones", () => {
  const double = simdLoop({ arrays: 1 }, (k, [x]) => ({ writes: [k.add(x!, x!)] }));
  const whole = Float32Array.of(1, 2, 3, 4, 5, 6, 7);
  double([whole.subarray(2, 5)]);
  expect(whole).toEqual(Float32Array.of(1, 2, 6, 8, 10, 6, 7));
  expect(double([new Float32Array(0)])).toBe(0);
});

test("what is not finite goes through", () => {
  const squares = simdLoop({ arrays: 1 }, (k, [x]) => ({ sum: k.mul(x!, x!) }));
  expect(squares([Float32Array.of(1, Number.NaN)])).toBeNaN();
  expect(squares([Float32Array.of(1, Infinity)])).toBe(Infinity);
});
