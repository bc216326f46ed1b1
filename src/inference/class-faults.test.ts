import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type ImageClass, type ImageSource, synthetic } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { type EvaluateOptions, evaluate } from "../measure/accuracy/evaluate.ts";
import { tinyEncoder } from "../testing/tiny.ts";
import { tinyClip } from "../testing/tiny-clip.ts";
import { headRows } from "./classes.ts";
import { zeroShotClassifier } from "./zero-shot.ts";

const cache = mkdtempSync(join(tmpdir(), "lore-class-faults-"));
vi.stubEnv("XDG_CACHE_HOME", cache);
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

const [clip, headed] = [tinyClip(), tinyEncoder()];
const plain = synthetic({ count: 8 });

/** Eight images of classes that are called so. */
function named(names: readonly string[], more: Partial<ImageSource> = {}): ImageSource {
  const items = plain.items.map((item, i) => ({ ...item, label: i % names.length }));
  const { templates: _, ...rest } = plain;
  return { ...rest, items, classes: names.map((name) => ({ folder: name, name })), ...more };
}

/** The one warning of an evaluation, which strict makes an error. */
async function fault(encoder: typeof clip, source: ImageSource, options: EvaluateOptions = {}): Promise<string> {
  const told: string[] = [];
  const { warnings } = await evaluate(encoder, source, {
    threads: 1,
    ...options,
    onWarning: (text) => told.push(text),
  });
  expect(told).toEqual(warnings);
  expect(warnings).toHaveLength(1);
  const strict = evaluate(encoder, source, { threads: 1, ...options, strict: true });
  await expect(strict).rejects.toThrow(UsageError);
  await expect(strict).rejects.toThrow(warnings[0]);
  return warnings[0]!;
}

describe("zero-shot classes", () => {
  it("are told apart: nothing to say, also under strict", async () => {
    const { warnings } = await evaluate(clip, named(["cat", "red photo"]), { threads: 1, strict: true });
    expect(warnings).toEqual([]);
  });

  it("of one name, also in other capitals and spaces", async () => {
    const message = await fault(clip, named(["cat", "red photo", "Cat", " red  photo"]));
    expect(message).toMatch(/2 classes have the same name .*\("cat" and "Cat", "red photo" and " red {2}photo"\)/);
    // The later of the two is never predicted.
    expect((await evaluate(clip, named(["cat", "cat"]), { threads: 1 })).clean).toBe(0.5);
  });

  it("whose names differ behind the last token that is read", async () => {
    // 24 tokens, of which two are markers.
    const long = "photo ".repeat(21);
    const warnings: string[] = [];
    const onWarning = (text: string) => warnings.push(text);
    await evaluate(clip, named([`${long} of cat`, `${long} of red`, "cat"]), {
      threads: 1,
      templates: ["{}"],
      onWarning,
    });
    expect(warnings).toEqual([
      expect.stringMatching(/1 class has the same name as another/),
      expect.stringMatching(
        /^tiny-clip reads 24 tokens of a text, and 2 of 3 texts are longer and cut off; the first has 25: "photo/,
      ),
    ]);
  });

  it("with a template that is too long, in other texts too", async () => {
    const template = `{} ${"a photo of ".repeat(8)}`;
    expect(await fault(clip, named(["cat", "red"]), { templates: [template] })).toMatch(
      /2 of 2 texts are longer and cut/,
    );
    const texts = zeroShotClassifier(clip, ["cat ".repeat(30)], ["{}"], { cache, threads: 1, strict: true });
    await expect(texts).rejects.toThrow(/1 of 1 text is longer and cut off/);
    // As many as are read.
    const just = zeroShotClassifier(clip, ["cat ".repeat(22)], ["{}"], { cache, threads: 1, strict: true });
    expect((await just).weight.shape).toEqual([1, 10]);
  });

  it("called by numbers, which a head need not read", async () => {
    const remarks = [{ kind: "names", message: "Only numbers." }] as const;
    expect(await fault(clip, named(["0", "1"], { remarks }))).toBe("Only numbers.");
    const eight = named(["a", "b", "c", "d", "e", "f", "g", "h"], { remarks });
    expect((await evaluate(headed, eight, { threads: 1, strict: true })).warnings).toEqual([]);
  });
});

describe("any classes", () => {
  it("one alone", async () => {
    expect(await fault(clip, named(["cat"]))).toMatch(/one class only, "cat": .* 100 % whatever/);
    const one = named(["cat"], { classes: [{ folder: "cat", name: "cat", headIndex: 3 }] });
    expect(await fault(headed, one)).toMatch(/one class only/);
  });

  it("what the source says is left out, and a limit beyond it", async () => {
    const remarks = [
      { kind: "fault", message: "Something is missing." },
      { kind: "fact", message: "By the way." },
    ] as const;
    expect(await fault(clip, named(["cat", "red"], { remarks }))).toBe("Something is missing.");
    expect(await fault(clip, named(["cat", "red"]), { limit: 9 })).toMatch(/9 images were asked for.* has 8/);
  });
});

describe("a head's rows", () => {
  const classes = (indices: readonly number[]): readonly ImageClass[] =>
    indices.map((headIndex, i) => ({ folder: `n${i}`, name: `n${i}`, headIndex }));

  it("for several classes each", async () => {
    const source = named(["a", "b", "c"], { classes: classes([5, 2, 5]) });
    expect(await fault(headed, source)).toMatch(/1 class shares its row .*\(n0 and n2 have row 5\)/);
  });

  it("in the order of folders that are numbers, which is not the numbers': refused", () => {
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`).sort();
    const { weight, bias } = tinyEncoder({ classes: 11 }).head!;
    const head = { kind: "linear", weight, bias } as const;
    expect(() => headRows(named(numbers(11)), head)).toThrow(
      /folders are numbers, and as text "10" comes before smaller/,
    );
    expect(headRows(named(numbers(10)), { ...head, weight: { ...weight, shape: [10, 16] } })).toEqual([
      ...Array(10).keys(),
    ]);
  });
});

describe("labels and templates of one's own", () => {
  it("that no prediction could meet are refused", async () => {
    const source = named(["cat", "red"]);
    const items = source.items.map((item, i) => (i === 3 ? { ...item, label: 2 } : item));
    await expect(evaluate(clip, { ...source, items }, { threads: 1 })).rejects.toThrow(
      /synthetic\/train\/3 has the label 2, and there are 2 classes: no prediction could be right/,
    );
    const { label: _, ...unlabelled } = items[3]!;
    const some = { ...source, items: [unlabelled, ...items.slice(0, 2)] };
    await expect(evaluate(clip, some, { threads: 1 })).rejects.toThrow(/3 has no label/);
  });

  it("without a place for the name, or names that say nothing", async () => {
    const failed = evaluate(clip, named(["cat", "red"]), { threads: 1, templates: ["a {}", "a photo"] });
    await expect(failed).rejects.toThrow(/"a photo" has no \{\} for the class's name/);
    const source = named(["cat", "red"]);
    const classes = [source.classes![0]!, { folder: "n2", name: " " }];
    expect(await fault(clip, { ...source, classes })).toMatch(/1 class has an empty name \("n2"\)/);
  });
});
