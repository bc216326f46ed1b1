import { beforeAll, describe, expect, test } from "vitest";
import { type Attack, apgd, attackList, attackName, autoAttack, pgd, square } from "../../attacks/index.ts";
import { type ImageSource, synthetic } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import type { Value } from "../../graph/index.ts";
import type { Encoder, Weights } from "../../models/encoder.ts";
import { randomStream } from "../../random.ts";
import { selfLabelled } from "../../testing/self-labelled.ts";
import { tinyEncoder } from "../../testing/tiny.ts";
import {
  fittingAttacks,
  maskingWarning,
  probabilitiesWarning,
  randomisedWarning,
  zeroGradientWarning,
} from "./checks.ts";
import { evaluate } from "./evaluate.ts";

const names = (attacks: readonly Attack[]): readonly string[] => attacks.map(attackName);
const epsilon = 2 / 255;

describe("too few classes", () => {
  const all = { standard: autoAttack({ epsilon }), lore: autoAttack({ epsilon, version: "lore" }) };

  test("four are enough for every attack", () => {
    expect(fittingAttacks(all.standard, 4)).toEqual(all.standard.attacks);
    expect(fittingAttacks(all.lore, 4, { strict: true })).toEqual(all.lore.attacks);
  });

  test("with three the targeted loss has no fourth logit", () => {
    const told: string[] = [];
    expect(names(fittingAttacks(all.lore, 3, { onWarning: (message) => told.push(message) }))).toEqual(["apgd-ce"]);
    expect(told).toEqual([
      "With 3 classes apgd-t cannot be run: the targeted DLR loss compares the label with the third and the fourth largest " +
        "logit. Measured with apgd-ce alone.",
    ]);
    expect(() => fittingAttacks(all.lore, 3, { strict: true })).toThrow(/With 3 classes apgd-t cannot be run/);
    expect(names(fittingAttacks(all.standard, 3))).toEqual(["apgd-ce", "fab-t", "square"]);
    expect(names(fittingAttacks(apgd({ epsilon, loss: "dlr" }), 3))).toEqual(["apgd-dlr"]);
    expect(() => fittingAttacks(apgd({ epsilon, loss: "targeted-dlr" }), 3)).toThrow(UsageError);
  });

  test("with two DLR has no third one either", () => {
    const plus = autoAttack({ epsilon, version: "plus" });
    const told: string[] = [];
    const fitting = fittingAttacks(plus, 2, { onWarning: (message) => told.push(message) });
    expect(names(fitting)).toEqual(["apgd-ce", "fab", "square", "fab-t"]);
    expect(told).toEqual([expect.stringMatching(/^With 2 classes apgd-dlr and apgd-t cannot be run/)]);
    for (const attack of [apgd({ epsilon, loss: "dlr" }), pgd({ epsilon, loss: "dlr" })])
      expect(() => fittingAttacks(attack, 2)).toThrow(
        /^With 2 classes \w+-dlr cannot be run: the DLR loss compares the label with the third largest logit\. Use apgd-ce\.$/,
      );
    expect(fittingAttacks(pgd({ epsilon }), 2)).toEqual([pgd({ epsilon })]);
  });

  test("with one there is nothing to break but the embedding", () => {
    for (const attack of [...all.standard.attacks, pgd({ epsilon })])
      expect(() => fittingAttacks(attack, 1)).toThrow(
        /^With 1 class [\w-]+ cannot be run: there is no other class .* taken for\. Measure among more classes\.$/,
      );
    expect(() => fittingAttacks(all.standard, 1)).toThrow(
      /^With 1 class apgd-ce and apgd-t and fab-t and square cannot/,
    );
    const embedding = apgd({ epsilon, loss: "embedding-l2" });
    expect(fittingAttacks(embedding, 1)).toEqual([embedding]);
  });
});

describe("logits", () => {
  const random = randomStream("logits");
  const logits = new Float32Array(3 * 5).map(() => 1000 * random.normal());
  const softmax = (values: Float32Array): Float32Array => {
    const out = new Float32Array(values.length);
    for (let row = 0; row < values.length; row += 5) {
      const powers = Array.from(values.subarray(row, row + 5), (x) => Math.exp(x / 1000));
      const sum = powers.reduce((a, b) => a + b);
      out.set(
        powers.map((x) => x / sum),
        row,
      );
    }
    return out;
  };

  test("that change from pass to pass are those of a random encoder; rounding is none", () => {
    expect(randomisedWarning(logits, logits.slice(), 5)).toBeUndefined();
    // A hundred times float32's rounding.
    expect(
      randomisedWarning(
        logits,
        logits.map((x) => x * (1 + 1e-5)),
        5,
      ),
    ).toBeUndefined();
    const other = logits.slice();
    other[14]! += 10;
    expect(randomisedWarning(logits, other, 5)).toMatch(/other logits for the same image.*autoattack-rand/);
  });

  test("that are probabilities in every row", () => {
    const probabilities = softmax(logits);
    expect(probabilitiesWarning(probabilities, 5)).toMatch(/look like probabilities/);
    expect(probabilitiesWarning(logits, 5)).toBeUndefined();
    const almost = probabilities.slice();
    almost[12]! += 1e-3;
    expect(probabilitiesWarning(almost, 5)).toBeUndefined();
    // Each row sums to 1, but one of them has a negative number.
    expect(probabilitiesWarning(Float32Array.of(0.5, 0.5, 1.5, -0.5), 2)).toBeUndefined();
  });
});

test("a loss without a gradient is told of once there is an image where it has none", () => {
  expect(zeroGradientWarning("pgd", 0, 8)).toBeUndefined();
  expect(zeroGradientWarning("pgd", 3, 8)).toMatch(/pgd: .*no gradient at all at 3 of the first 8 images/);
});

describe("Square after gradient attacks", () => {
  const stage = (attack: string, accuracy: number) => ({ attack, accuracy });

  test("breaks few more images where nothing is masked", () => {
    expect(maskingWarning([stage("apgd-ce", 0.51), stage("square", 0.509)])).toBeUndefined();
    expect(maskingWarning([stage("apgd-ce", 0.51), stage("apgd-t", 0.4)])).toBeUndefined();
    // Shares left by attacks before the last one do not count.
    expect(maskingWarning([stage("apgd-ce", 0.51), stage("fab-t", 0.4), stage("square", 0.4)])).toBeUndefined();
  });

  test("breaks more than 0.2 points where gradients are masked", () => {
    expect(maskingWarning([stage("apgd-ce", 0.51), stage("square", 0.5)])).toMatch(/another 1\.0 points.*masking/);
  });

  test("says nothing where it is the first", () => {
    expect(maskingWarning([stage("square", 0.1), stage("apgd-ce", 0.1)])).toBeUndefined();
    expect(maskingWarning([stage("square", 0.1)])).toBeUndefined();
  });
});

describe("through an evaluation", () => {
  const encoder = tinyEncoder();
  let images: ImageSource;
  beforeAll(async () => {
    images = await selfLabelled(encoder, synthetic({ count: 16 }));
  });

  const notNeeded = (): never => {
    throw new Error("An evaluation does not need this.");
  };
  /** The encoder with something behind its head, in place of embedding and head. */
  const behindHead = (change: (logits: Value) => Value): Encoder => {
    const { name, imageSize, framing, normalization, parameters, layout, head } = encoder;
    const classes = head!.bias.data.length;
    const identity = new Float32Array(classes * classes).map((_, i) => (i % (classes + 1) === 0 ? 1 : 0));
    const changed = (pixels: Value, weights: Weights): Value => {
      const { graph: g } = pixels;
      const features = encoder.headFeatures(pixels, weights);
      return change(g.gemm(features, g.constant(head!.weight), g.constant(head!.bias), { transB: true }));
    };
    return {
      ...{ name, imageSize, framing, normalization, parameters, layout },
      embeddingSize: classes,
      head: {
        kind: "linear",
        weight: { dtype: "float32", shape: [classes, classes], data: identity },
        bias: { dtype: "float32", shape: [classes], data: new Float32Array(classes) },
      },
      embed: changed,
      headFeatures: changed,
      embedNormalized: notNeeded,
      withParameters: notNeeded,
    };
  };
  const attacks = [
    attackList([apgd({ epsilon: 4 / 255, steps: 20 }), square({ epsilon: 4 / 255, queries: 150 })]),
  ] as const;
  const measure = (measured: Encoder) => evaluate(measured, images, { attacks, threads: 1, batch: 16 });

  test("an ordinary encoder gives no warning", async () => {
    const { clean, attacks: results, warnings } = await measure(encoder);
    expect(warnings).toEqual([]);
    expect(results[0]!.stages!.map(({ attack }) => attack)).toEqual(["apgd-ce", "square"]);
    // There is something to break, or a masked one could not be told from it.
    expect(results[0]!.stages![0]!.accuracy).toBeLessThan(clean - 0.3);
  });

  test("logits in steps hide the gradient: gradients find nothing, square does, both are said", async () => {
    const masked = behindHead((logits) => {
      const { graph: g } = logits;
      return g.mul(g.floor(g.mul(logits, 4)), 1 / 4);
    });
    const { clean, attacks: results, warnings } = await measure(masked);
    const [gradients, search] = results[0]!.stages!;
    expect(search!.accuracy).toBeLessThan(gradients!.accuracy - 0.002);
    expect(search!.accuracy).toBeLessThan(clean);
    expect(warnings).toEqual([
      expect.stringMatching(/apgd-ce: the loss has no gradient at all at (\d+) of the first \1 images/),
      expect.stringMatching(/Square.*broke another .* points/),
    ]);
  });

  test("probabilities in place of logits", async () => {
    const { warnings } = await measure(behindHead((logits) => logits.graph.softmax(logits)));
    expect(warnings[0]).toMatch(/look like probabilities/);
  });
});
