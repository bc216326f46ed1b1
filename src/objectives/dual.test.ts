import { describe, expect, test } from "vitest";
import { randomStream } from "../random.ts";
import { compile } from "../runtime/index.ts";
import { AdamW } from "../training/adamw/adamw.ts";
import type { Dual } from "./constraint.ts";
import { control, dualGraph, dualParameters } from "./dual.ts";
import { gradientName } from "./primal.ts";

const batch = 3;
const size = 16;
const random = randomStream("dual test");
const original = new Float32Array(batch * size).map(() => random.normal());
const share = new Float32Array(batch).fill(1 / batch);

const duals = {
  network: { kind: "network", hidden: 32, initial: Math.LN2, learningRate: 1e-2 },
  scalar: { kind: "scalar", initial: 1.5, learningRate: 1e-2 },
  constant: { kind: "constant", value: 2 },
} as const satisfies Record<string, Dual>;

/** lambda now, and after some steps of ascent on a fixed violation. */
async function ascend(dual: Dual, violation: Float32Array, steps: number, shares = share) {
  const omega = dualParameters(dual, size, 0);
  const program = await compile(dualGraph(dual, batch, omega, size), { threads: 1 });
  const optimizer = new AdamW(omega, { weightDecay: 0 });
  const run = () =>
    program.run({
      original,
      violation,
      share: shares,
      ...Object.fromEntries([...omega].map(([name, { data }]) => [name, data])),
    });
  const before = [...((await run()).lambda as Float32Array)];
  for (let step = 0; step < steps; step++) {
    const result = await run();
    await optimizer.step(omega, (name) => result[gradientName(name)] as Float32Array, 1e-2, -1);
  }
  const result = await run();
  const after = [...(result.lambda as Float32Array)];
  const dualLoss = (result.dualLoss as Float32Array)[0]!;
  await program.dispose();
  return { before, after, dualLoss };
}

const up = new Float32Array(batch).fill(0.5);
const down = new Float32Array(batch).fill(-0.5);

describe("where lambda starts", () => {
  test("a network near softplus(0), different from image to image", async () => {
    const { before } = await ascend({ ...duals.network, hidden: 512 }, up, 0);
    for (const lambda of before) expect(Math.abs(lambda - Math.log(2))).toBeLessThan(0.4);
    expect(new Set(before).size).toBe(batch);
  });

  test.each([0.01, 1.5, 40, 1000])("a scalar at the number given: %d", async (initial) => {
    const { before } = await ascend({ ...duals.scalar, initial }, up, 0);
    for (const lambda of before) expect(lambda / initial).toBeCloseTo(1, 5);
  });

  test("a constant at its value", async () => {
    expect((await ascend(duals.constant, up, 0)).before).toEqual([2, 2, 2]);
  });
});

describe("ascent", () => {
  test.each(["network", "scalar"] as const)(
    "%s: up where the constraint is violated, down where it is met",
    async (kind) => {
      const [rising, falling] = [await ascend(duals[kind], up, 20), await ascend(duals[kind], down, 20)];
      for (let i = 0; i < batch; i++) {
        expect(rising.after[i]).toBeGreaterThan(rising.before[i]! + 0.05);
        expect(falling.after[i]).toBeLessThan(falling.before[i]! - 0.05);
        expect(falling.after[i]).toBeGreaterThan(0);
      }
    },
  );

  test("a network learns each image's own multiplier", async () => {
    const { before, after } = await ascend(duals.network, Float32Array.of(0.5, -0.5, 0.5), 60);
    expect(after[0]).toBeGreaterThan(before[0]!);
    expect(after[1]).toBeLessThan(before[1]!);
    expect(after[2]).toBeGreaterThan(before[2]!);
  });

  test("an image without a share has no say", async () => {
    const shares = Float32Array.of(0.5, 0.5, 0);
    for (const kind of ["network", "scalar"] as const) {
      const one = await ascend(duals[kind], Float32Array.of(0.5, -0.2, 0), 5, shares);
      const other = await ascend(duals[kind], Float32Array.of(0.5, -0.2, 1e3), 5, shares);
      expect(other.after).toEqual(one.after);
    }
  });

  test("a constant has nothing to train", async () => {
    expect(dualParameters(duals.constant, size, 0).size).toBe(0);
    expect((await ascend(duals.constant, up, 5)).after).toEqual([2, 2, 2]);
  });
});

test("the dual loss is the shares' sum of lambda times violation", async () => {
  const violation = Float32Array.of(0.5, -1, 2);
  for (const dual of Object.values(duals)) {
    const { after, dualLoss } = await ascend(dual, violation, 0);
    const wanted = after.reduce((sum, lambda, i) => sum + (lambda * violation[i]!) / batch, 0);
    expect(dualLoss).toBeCloseTo(wanted, 5);
  }
});

test("the network's start depends on the seed", () => {
  const weights = (seed: number) => dualParameters(duals.network, size, seed).get("fc1.weight")!.data;
  expect(weights(1)).toEqual(weights(1));
  expect(weights(1)).not.toEqual(weights(2));
  for (const weight of weights(1)) expect(Math.abs(weight)).toBeLessThanOrEqual(1 / Math.sqrt(size));
});

describe("a controller", () => {
  const dual: Dual = { kind: "controller", initial: 2, gain: 0.1 };

  test("starts at the number given, and moves log lambda by the violation and its change", async () => {
    const omega = dualParameters(dual, size, 0);
    const program = await compile(dualGraph(dual, batch, omega, size), { threads: 1 });
    const lambda = async (): Promise<number> => {
      const feeds = Object.fromEntries([...omega].map(([name, { data }]) => [name, data]));
      return ((await program.run({ original, ...feeds })).lambda as Float32Array)[0]!;
    };
    expect(await lambda()).toBeCloseTo(2, 6);
    control(omega, 0.1, 0.5);
    expect(await lambda()).toBeCloseTo(2 * Math.exp(0.1 * (0.5 + 5 * 0.5)), 5);
    control(omega, 0.1, 0.5);
    expect(await lambda()).toBeCloseTo(2 * Math.exp(0.1 * (0.5 + 5 * 0.5 + 0.5)), 5);
    await program.dispose();
  });

  test("meets a constraint in tens of steps, whatever lambda it starts from", () => {
    for (const initial of [1e-3, 1, 1e3]) {
      const omega = dualParameters({ ...dual, initial }, size, 0);
      const lambda = (): number => Math.exp(omega.get("log lambda")!.data[0]!);
      // A distance that falls as lambda rises, and follows it with a delay of some batches; met at lambda = 4.
      let distance = 1;
      for (let step = 0; step < 150; step++) {
        distance += 0.3 * (5 / (1 + lambda()) - distance);
        control(omega, 0.1, Math.min(Math.max(distance - 1, -1), 1));
      }
      expect(distance).toBeCloseTo(1, 1);
      expect(lambda() / 4).toBeCloseTo(1, 0);
    }
  });
});
