import { expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { simdLoop } from "./index.ts";

const { normal } = randomStream("simd");
const numbers = (length: number): Float32Array => Float32Array.from({ length }, () => normal());

// Shorter than a vector, not a multiple of one, a chunk, several chunks and a rest.
const lengths = [1, 3, 4, 1001, 4096, 4097, 20_002];

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
  // Float32 over at most 1024 positive terms a lane.
  expect(Math.abs(squares([x]) / wanted - 1)).toBeLessThan(1e-5);
  // Twice the same: nothing is left from the call before.
  expect(squares([x])).toBe(squares([x]));
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
