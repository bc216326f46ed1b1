import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pgd } from "../attacks/index.ts";
import { synthetic } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { front } from "../measure/tradeoff/front.ts";
import { randomStream } from "../random.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { blend } from "./blend.ts";
import { HeldOutImages, holdOut } from "./held-out.ts";
import { largestBlend } from "./search.ts";

const options = { device: "cpu", threads: 1 } as const;
const original = tinyEncoder();
const random = randomStream("robust");
const robust = original.withParameters(
  new Map(
    [...original.parameters].map(([name, tensor]) => [
      name,
      { ...tensor, data: tensor.data.map((x) => x + 0.15 * random.normal()) },
    ]),
  ),
);

describe("a blend", () => {
  test("lies between the two, weight by weight", () => {
    expect(blend(original, robust, 0).parameters).toEqual(original.parameters);
    const quarter = blend(original, robust, 0.25).parameters.get("cls_token")!.data[0]!;
    const [a, b] = [original, robust].map(({ parameters }) => parameters.get("cls_token")!.data[0]!);
    expect(quarter).toBeCloseTo(0.75 * a! + 0.25 * b!, 6);
    // a + (b - a) rounds twice.
    for (const [name, { data }] of blend(original, robust, 1).parameters)
      for (const [i, x] of data.entries()) expect(x).toBeCloseTo(robust.parameters.get(name)!.data[i]!, 5);
  });

  test.each([-0.1, 1.1, Number.NaN])("a weight of %d is refused", (weight) => {
    expect(() => blend(original, robust, weight)).toThrow(UsageError);
  });

  test("encoders that are not versions of one are refused, by the tensor that differs", () => {
    expect(() => blend(original, tinyEncoder({ depth: 2 }), 0.5)).toThrow(/versions of one encoder.*blocks\.1/);
    expect(() => blend(tinyEncoder({ depth: 2 }), original, 0.5)).toThrow(/versions of one encoder.*blocks\.1/);
  });
});

describe("images held out", () => {
  const source = synthetic({ count: 400 });

  test("are those behind the limit, where there are some, and training keeps all of its own", () => {
    const { trained, heldOut } = holdOut(source, 100, 0);
    expect([trained.length, heldOut.length]).toEqual([100, 256]);
    expect(holdOut(source, 100, 0)).toEqual({ trained, heldOut });
    expect(new Set([...trained, ...heldOut]).size).toBe(356);
  });

  test("are a tenth of a source that is used whole", () => {
    const { trained, heldOut } = holdOut(source, 400, 0);
    expect([trained.length, heldOut.length]).toEqual([360, 40]);
    expect(new Set([...trained, ...heldOut]).size).toBe(400);
  });

  test("one image is trained on", () => {
    expect(holdOut(synthetic({ count: 1 }), 5, 0)).toEqual({ trained: [0], heldOut: [] });
  });
});

describe("what a blend keeps", () => {
  const source = synthetic({ count: 60 });
  let images: HeldOutImages;
  beforeAll(async () => {
    const order = source.items.map((_, i) => i);
    images = await HeldOutImages.open(original, source, order, { ...options, batch: 16 });
  });
  afterAll(() => images.dispose());

  test("is all at the original, and less the further it goes", async () => {
    const points = await front(original, robust, [0, 0.3, 1], images);
    expect(points[0]).toMatchObject({ weight: 0, kept: 1, agreement: { relations: 1 } });
    const relations = points.map(({ agreement }) => agreement.relations);
    expect(relations[1]).toBeLessThan(1);
    expect(relations[2]).toBeLessThan(relations[1]!);
  });

  test("the largest weight that keeps a share: it does, and a step further does not", async () => {
    const { kept: min } = await images.fidelity(robust.parameters);
    const keep = (1 + min) / 2;
    const chosen = await largestBlend(images, original.parameters, robust.parameters, { largest: 1, keep });
    expect(chosen.weight).toBeGreaterThan(0);
    expect(chosen.kept).toBeGreaterThanOrEqual(keep);
    const [beyond] = await front(original, robust, [chosen.weight + 1 / 64], images);
    expect(beyond!.kept).toBeLessThan(keep);
    expect(chosen.points.map(({ weight }) => weight)).toEqual(chosen.points.map(({ weight }) => weight).toSorted());
  });

  test("no further than the largest weight, though more would keep enough", async () => {
    const { parameters } = robust;
    expect((await largestBlend(images, original.parameters, parameters, { largest: 0.25, keep: 0 })).weight).toBe(0.25);
    expect((await largestBlend(images, original.parameters, parameters, { largest: 1, keep: 0 })).weight).toBe(1);
  });

  test("accuracies along the front are those of the blends", async () => {
    const attacks = [pgd({ epsilon: 1 / 255, steps: 1 })];
    const evaluation = { ...options, limit: 16 };
    const seen: number[] = [];
    const points = await front(original, robust, [0, 1], images, {
      ...{ labelled: source, attacks, evaluation },
      onPoint: ({ weight }) => seen.push(weight),
    });
    expect(seen).toEqual([0, 1]);
    for (const { evaluation: measured } of points) {
      expect(measured!.images).toBe(16);
      expect(measured!.attacks[0]!.accuracy).toBeLessThanOrEqual(measured!.clean);
    }
  });
});
