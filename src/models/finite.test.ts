import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, test, vi } from "vitest";
import { apgd, fab, pgd, square } from "../attacks/index.ts";
import { type ImageSource, openBatches, synthetic } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Value } from "../graph/index.ts";
import { embedImages, embedSource, zeroShotClassifier } from "../inference/index.ts";
import { attackedExamples, evaluate } from "../measure/accuracy/index.ts";
import { runBenchmark } from "../measure/benchmark/index.ts";
import { evaluateCorruptions } from "../measure/corruptions/index.ts";
import { attackEmbeddings } from "../measure/embedding-attack/index.ts";
import { measureFidelity } from "../measure/fidelity/index.ts";
import { interpret } from "../measure/interpretability/index.ts";
import { probe } from "../measure/probes/index.ts";
import { fare } from "../objectives/index.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { tinyClip } from "../testing/tiny-clip.ts";
import { finetune } from "../training/index.ts";
import type { Encoder } from "./encoder.ts";
import { checkFinite, checkNonZero } from "./finite.ts";
import { withHead } from "./with-head.ts";

const cache = mkdtempSync(join(tmpdir(), "lore-finite-"));
vi.stubEnv("XDG_CACHE_HOME", cache);
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

const single = { threads: 1 } as const;
const source = synthetic({ count: 12, split: "test" });
const epsilon = 8 / 255;

/** The mean of each image of the source, by which encoders below tell them apart. */
const means: number[] = [];
let pixels: Float32Array;
beforeAll(async () => {
  const order = source.items.map((_, i) => i);
  for await (const batch of openBatches(source, { size: 8, batch: order.length, order })) pixels = batch.pixels.slice();
  for (const i of order) means.push(pixels.subarray(i * 192, (i + 1) * 192).reduce((sum, x) => sum + x, 0) / 192);
});

/** The encoder with something else in the place of its embedding. */
function changed(encoder: Encoder, change: (embedding: Value, mean: Value) => Value): Encoder {
  const embed: Encoder["embed"] = (x, weights) =>
    change(encoder.embed(x, weights), x.graph.unsqueeze(x.graph.reduceMean(x, { axes: [1, 2, 3] }), [1]));
  return new Proxy(encoder, {
    get: (target, name) => {
      if (name === "embed" || name === "headFeatures") return embed;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Not finite for the images whose mean is at most `limit`: 0 log(0) is NaN. */
const failing = (encoder: Encoder, limit: number): Encoder =>
  changed(encoder, (embedding, mean) => {
    const { graph: g } = embedding;
    return g.add(embedding, g.mul(g.log(g.max(g.sub(mean, limit), 0)), 0));
  });

/** Zero for those images. */
const vanishing = (encoder: Encoder, limit: number): Encoder =>
  changed(encoder, (embedding, mean) => {
    const { graph: g } = embedding;
    return g.mul(embedding, g.cast(g.greater(mean, limit), "float32"));
  });

/** One image of the source is dark enough. */
function darkest(): { readonly limit: number; readonly id: string } {
  const [first, second] = means.toSorted((a, b) => a - b) as [number, number];
  return { limit: (first + second) / 2, id: source.items[means.indexOf(first)]!.id };
}

describe("an encoder whose embedding of one image is not finite is refused, naming encoder and image, by", () => {
  const bad = (of: Encoder = tinyEncoder()): Encoder => failing(of, darkest().limit);
  const refused = async (work: Promise<unknown>): Promise<void> => {
    const error = await work.then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(UsageError);
    const { id } = darkest();
    expect((error as Error).message).toMatch(
      new RegExp(
        `^tiny(-clip)?: in the embedding of ${id} \\d+ of \\d+ numbers are not finite \\(NaN at 0\\).*weights may be`,
      ),
    );
  };

  test("evaluate, clean and attacked, benchmark, examples", async () => {
    await refused(evaluate(bad(), source, { ...single, batch: 5 }));
    await refused(evaluate(bad(tinyClip()), source, { ...single, cache }));
    const { weight, bias } = tinyEncoder().head!;
    const damaged = { kind: "linear", weight, bias: { ...bias, data: bias.data.map(() => Number.NaN) } } as const;
    await expect(evaluate(withHead(tinyEncoder(), damaged), source, single)).rejects.toThrow(
      /in the logits of .* 8 of 8/,
    );
    const suite = {
      name: "s",
      sets: [
        {
          ...{ name: "a", title: "a", averaged: true, data: "synthetic:12:test", split: "test" },
          ...{ attacks: [], resolution: "encoder" as const },
        },
      ],
    };
    await expect(runBenchmark([{ name: "x", encoder: bad() }], suite, single)).rejects.toThrow(
      /embedding of .* not finite/,
    );
    await expect(attackedExamples(bad(), source, pgd({ epsilon }), [...means.keys()], single)).rejects.toThrow(
      UsageError,
    );
  });

  test("corruptions", async () => {
    const options = { ...single, corruptions: ["fog"], severities: [1], noise: [] } as const;
    await expect(evaluateCorruptions([bad()], source, options)).rejects.toThrow(
      `tiny: in the embedding of ${darkest().id} (clean) 16`,
    );
  });

  test("embeddings, fidelity, probes", async () => {
    await refused(embedSource(bad(), source, { ...single, cache }));
    await refused(measureFidelity(tinyEncoder(), bad(), source, { ...single, cache }));
    await refused(measureFidelity(bad(), tinyEncoder(), source, { ...single, cache }));
    await refused(probe(bad(), source, source, { ...single, cache }));
    await expect(embedImages(bad(), pixels, single)).rejects.toThrow(/embedding of image \d+ 16 of 16 numbers/);
  });

  test("interpretation", async () => {
    await refused(interpret([bad(tinyClip())], source, { ...single, cache, templates: ["a {}"] }));
  });

  test("attacks on embeddings", async () => {
    const options = {
      ...single,
      attack: pgd({ epsilon, steps: 1, loss: "embedding-l2" }),
      goal: { kind: "away" },
    } as const;
    await refused(attackEmbeddings(bad(), pixels, { ...options, nameOf: (i) => source.items[i]!.id }));
  });

  test("training, which looks at the original's", async () => {
    const objective = fare({ epsilon, attack: { steps: 1 } });
    await refused(finetune(bad(), source, objective, { ...single, batch: 5, epochs: 1 }));
    const sound = tinyEncoder();
    const bias = sound.parameters.get("norm.bias")!;
    const damaged = { ...bias, data: bias.data.map((x, i) => (i === 3 ? Number.NaN : x)) };
    const encoder = sound.withParameters(new Map([...sound.parameters, ["norm.bias", damaged]]));
    const run = join(cache, "run");
    await expect(finetune(encoder, source, objective, { ...single, run })).rejects.toThrow(
      /tiny: its weight norm\.bias holds/,
    );
    expect(existsSync(run)).toBe(false);
  });
});

describe("an embedding that is zero is refused where a cosine is taken of it, by", () => {
  const zero = (of: Encoder = tinyEncoder()): Encoder => vanishing(of, darkest().limit);
  const refused = (work: Promise<unknown>): Promise<void> =>
    expect(work).rejects.toThrow(new RegExp(`the embedding of ${darkest().id} is zero in all of its 1\\d numbers`));

  it("evaluate and interpret with text embeddings", async () => {
    await refused(evaluate(zero(tinyClip()), source, { ...single, cache }));
    await refused(interpret([zero(tinyClip())], source, { ...single, cache, templates: ["a {}"] }));
    // A head takes no cosines.
    expect((await evaluate(zero(), source, single)).images).toBe(12);
  });

  it("fidelity, probes, attacks on embeddings", async () => {
    await refused(measureFidelity(tinyEncoder(), zero(), source, { ...single, cache }));
    await refused(measureFidelity(zero(), tinyEncoder(), source, { ...single, cache }));
    await refused(probe(zero(), source, source, { ...single, cache }));
    const options = {
      ...single,
      attack: pgd({ epsilon, steps: 1, loss: "embedding-l2" }),
      goal: { kind: "away" },
    } as const;
    await refused(attackEmbeddings(zero(), pixels, { ...options, nameOf: (i) => source.items[i]!.id }));
  });

  it("class embeddings", async () => {
    const clip = tinyClip();
    const mute = {
      ...clip.text!,
      embeddingSize: 10,
      embed: async (texts: readonly string[]) => new Float32Array(10 * texts.length),
    };
    const text = new Proxy(clip.text!, {
      get: (target, name) =>
        name === "embed" ? mute.embed : name === "digest" ? "mute" : Reflect.get(target, name, target),
    });
    const encoder = new Proxy<Encoder>(clip, {
      get: (target, name) => (name === "text" ? text : Reflect.get(target, name, target)),
    });
    await expect(zeroShotClassifier(encoder, ["cat"], ["a {}"], { ...single, cache })).rejects.toThrow(
      /tiny-clip: the embedding of the text "a cat" is zero/,
    );
  });
});

describe("a gradient that is not finite is refused", () => {
  /** Right and finite, but with a gradient of infinity times zero: factors whose product overflows, of what is zero. */
  const encoder = changed(tinyEncoder(), (embedding, mean) => {
    const { graph: g } = embedding;
    return g.add(embedding, g.mul(g.mul(g.mul(mean, 0), 1e30), 1e30));
  });
  let labelled: ImageSource;
  beforeAll(async () => {
    const { head } = encoder;
    expect(head).toBeDefined();
    const clean = await evaluate(encoder, source, single);
    expect(clean.clean).toBeGreaterThan(0);
    labelled = source;
  });

  test.each([
    ["pgd", pgd({ epsilon, steps: 2 })],
    ["apgd", apgd({ epsilon, steps: 2 })],
    ["fab", fab({ epsilon, steps: 2, targeted: false })],
  ])("by %s, instead of an image that passes for robust", async (_, attack) => {
    await expect(evaluate(encoder, labelled, { ...single, attacks: [attack] })).rejects.toThrow(
      /The gradient of the loss of .* is not finite. An attack would stand still/,
    );
  });

  test("but not by square, which needs none", async () => {
    const { attacks } = await evaluate(encoder, labelled, { ...single, attacks: [square({ epsilon, queries: 5 })] });
    expect(attacks).toHaveLength(1);
  });
});

describe("checks", () => {
  const of = { encoder: "e", what: "embedding", nameOf: (i: number) => `image ${i}` };

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    "find %d anywhere, and say how many",
    (value) => {
      for (const at of [0, 4, 5]) {
        const rows = new Float32Array(6).fill(3e38);
        expect(() => checkFinite(rows, 2, of)).not.toThrow();
        rows[at] = value;
        expect(() => checkFinite(rows, 2, of)).toThrow(
          `e: in the embedding of image ${Math.floor(at / 3)} 1 of 3 numbers is not finite (${value} at ${at % 3})`,
        );
      }
      expect(() => checkFinite(new Float32Array(0), 0, of)).not.toThrow();
    },
  );

  it("find rows of zeros", () => {
    const rows = Float32Array.of(0, 1e-40, 0, 0, 1, 0);
    expect(() => checkNonZero(rows, 3, of)).toThrow("e: the embedding of image 1 is zero in all of its 2 numbers");
    expect(() => checkNonZero(rows.subarray(0, 2), 1, of)).not.toThrow();
    expect(() => checkNonZero(Float32Array.of(-0, -0), 1, of)).toThrow("image 0 is zero");
  });
});
