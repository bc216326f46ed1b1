import { describe, expect, test } from "vitest";
import type { Parameters } from "../../models/encoder.ts";
import { randomStream } from "../../random.ts";
import { AdamW } from "./adamw.ts";

const random = randomStream("adamw");
const numbers = (count: number, scale: number): number[] =>
  Array.from({ length: count }, () => scale * random.normal());

function parameters(values: Readonly<Record<string, readonly number[]>>): Parameters {
  return new Map(
    Object.entries(values).map(([name, data]) => [
      name,
      { dtype: "float32", shape: [data.length], data: Float32Array.from(data) },
    ]),
  );
}

/** The algorithm as the paper and PyTorch's documentation write it, in float64. */
function reference(
  start: readonly number[],
  gradients: readonly (readonly number[])[],
  rates: readonly number[],
  decay: number,
) {
  const [theta, m, v] = [[...start], start.map(() => 0), start.map(() => 0)];
  gradients.forEach((gradient, t) => {
    const rate = rates[t]!;
    gradient.forEach((g, i) => {
      theta[i] = theta[i]! - rate * decay * theta[i]!;
      m[i] = 0.9 * m[i]! + 0.1 * g;
      v[i] = 0.999 * v[i]! + 0.001 * g * g;
      const mHat = m[i]! / (1 - 0.9 ** (t + 1));
      const vHat = v[i]! / (1 - 0.999 ** (t + 1));
      theta[i] = theta[i]! - (rate * mHat) / (Math.sqrt(vHat) + 1e-8);
    });
  });
  return theta;
}

test("ten steps agree with a float64 reference, at changing rates", () => {
  const start = { a: numbers(7, 1), b: numbers(3, 0.01) };
  const rates = Array.from({ length: 10 }, (_, t) => 1e-2 / (t + 1));
  const gradients = rates.map(() => ({ a: numbers(7, 1e-3), b: numbers(3, 10) }));
  const theta = parameters(start);
  const optimizer = new AdamW(theta, { weightDecay: 0.1 });
  for (const [t, gradient] of gradients.entries()) {
    optimizer.step(theta, (name) => Float32Array.from(gradient[name as "a" | "b"]), rates[t]!);
  }
  for (const name of ["a", "b"] as const) {
    const wanted = reference(
      start[name],
      gradients.map((gradient) => gradient[name]),
      rates,
      0.1,
    );
    // Weights of order 1 in float32: ten steps round ten times by at most 6e-8.
    for (const [i, value] of theta.get(name)!.data.entries()) expect(value).toBeCloseTo(wanted[i]!, 5);
  }
});

describe("weight decay", () => {
  test("is decoupled: without a gradient, weights shrink by rate times decay and nothing else", () => {
    const theta = parameters({ w: [1, -2] });
    const optimizer = new AdamW(theta, { weightDecay: 0.5 });
    optimizer.step(theta, () => new Float32Array(2), 0.1);
    expect(theta.get("w")!.data).toEqual(Float32Array.of(0.95, -1.9));
  });

  test("does not enter the moments", () => {
    const [plain, decayed] = [parameters({ w: [3] }), parameters({ w: [3] })];
    const [one, two] = [new AdamW(plain, { weightDecay: 0 }), new AdamW(decayed, { weightDecay: 0.5 })];
    one.step(plain, () => Float32Array.of(0.2), 0.1);
    two.step(decayed, () => Float32Array.of(0.2), 0.1);
    expect(two.state().get("first.w")).toEqual(one.state().get("first.w"));
    expect(two.state().get("second.w")).toEqual(one.state().get("second.w"));
    expect(decayed.get("w")!.data[0]).toBeCloseTo(plain.get("w")!.data[0]! - 3 * 0.05, 6);
  });
});

test("scale multiplies the gradient; -1 ascends", () => {
  const step = (gradient: number, scale?: number) => {
    const theta = parameters({ w: [0] });
    const optimizer = new AdamW(theta, { weightDecay: 0 });
    optimizer.step(theta, () => Float32Array.of(gradient), 0.1, scale);
    return { theta: theta.get("w")!.data[0]!, state: optimizer.state() };
  };
  expect(step(8, 0.25)).toEqual(step(2));
  expect(step(2, -1)).toEqual(step(-2));
  expect(step(2).theta).toBeCloseTo(-0.1, 6);
});

test("a tensor of several of the loop's chunks: all of it takes the step", () => {
  const start = numbers(2 ** 14 + 1000, 1);
  const gradient = numbers(start.length, 1e-3);
  const theta = parameters({ w: start });
  new AdamW(theta, { weightDecay: 0.1 }).step(theta, () => Float32Array.from(gradient), 1e-2);
  const wanted = reference(start, [gradient], [1e-2], 0.1);
  // Weights of order 1 in float32, rounded three times.
  const apart = theta.get("w")!.data.map((value, i) => Math.abs(value - wanted[i]!));
  expect(Math.max(...apart)).toBeLessThan(1e-6);
});

test("state and restore: the next steps are the same bit for bit", () => {
  const start = { w: numbers(5, 1) };
  const gradients = Array.from({ length: 6 }, () => Float32Array.from(numbers(5, 1)));
  const theta = parameters(start);
  const optimizer = new AdamW(theta, { weightDecay: 0.01 });
  for (const gradient of gradients.slice(0, 3)) optimizer.step(theta, () => gradient, 0.1);
  const copy = parameters({ w: [...theta.get("w")!.data] });
  const other = new AdamW(copy, { weightDecay: 0.01 });
  other.restore(
    new Map([...optimizer.state()].map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }])),
  );
  for (const gradient of gradients.slice(3)) {
    optimizer.step(theta, () => gradient, 0.1);
    other.step(copy, () => gradient, 0.1);
  }
  expect(copy).toEqual(theta);
});
