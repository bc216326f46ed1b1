import { describe, expect, test } from "vitest";
import { innerAttack } from "./attacks/index.ts";
import { apgd, fab, pgd, square } from "./attacks.ts";
import { UsageError } from "./errors.ts";
import { attackEmbeddings, type EmbeddingAttackOptions, type Encoder, type FinetuneOptions } from "./index.ts";

/*
 * Misuse that does not compile: where one of these does, its directive is an error of the type check. What a caller
 * without types gets is checked beside it.
 */

const epsilon = 2 / 255;

describe("attacks", () => {
  test("only a targeted loss has targets", () => {
    // @ts-expect-error
    expect(() => apgd({ epsilon, loss: "ce", targets: 3 })).toThrow(UsageError);
    // @ts-expect-error
    expect(() => apgd({ epsilon, targets: 3 })).toThrow(/targets is for the loss targeted-dlr only/);
    const loss = "ce" as "ce" | "targeted-dlr";
    // @ts-expect-error
    expect(() => apgd({ epsilon, loss, targets: 3 })).toThrow(UsageError);
    // @ts-expect-error
    expect(() => fab({ epsilon, targeted: false, targets: 3 })).toThrow(/targets is for the targeted form only/);
    expect(apgd({ epsilon, loss: "targeted-dlr", targets: 3 }).targets).toBe(3);
    expect(fab({ epsilon, targets: 3 })).toMatchObject({ targets: 3 });
  });

  test("Auto-PGD's schedule has no step size, momentum or precision", () => {
    // @ts-expect-error
    expect(() => innerAttack({ epsilon, schedule: "apgd", stepSize: 0.01 })).toThrow(/APGD has no stepSize/);
    // @ts-expect-error
    expect(() => innerAttack({ epsilon, schedule: "apgd", momentum: 0.9 })).toThrow(/APGD has no momentum/);
    // @ts-expect-error
    expect(() => innerAttack({ epsilon, schedule: "apgd", precision: "int8" })).toThrow(/APGD has no precision/);
  });

  test("runs from the clean image are all the same: no restarts", () => {
    // @ts-expect-error
    expect(() => pgd({ epsilon, start: "zero", restarts: 2 })).toThrow(/restarts.*uniform start/);
    expect(pgd({ epsilon, start: "zero" }).restarts).toBe(1);
    expect(pgd({ epsilon, restarts: 2 }).start).toBe("uniform");
  });

  test("embeddings are attacked by a distance of embeddings", async () => {
    const run = (attack: EmbeddingAttackOptions["attack"]) =>
      attackEmbeddings({ imageSize: 8 } as Encoder, new Float32Array(), { goal: { kind: "away" }, attack });
    // @ts-expect-error
    await expect(run(pgd({ epsilon }))).rejects.toThrow(/pgd needs labels/);
    // @ts-expect-error
    await expect(run(apgd({ epsilon, loss: "dlr" }))).rejects.toThrow(/apgd-dlr needs labels/);
    // @ts-expect-error
    await expect(run(square({ epsilon }))).rejects.toThrow(/square needs labels/);
    await expect(run(apgd({ epsilon, loss: "embedding-l2" }))).resolves.toEqual({
      images: [],
      perturbed: new Float32Array(),
    });
  });
});

test("no attack has unknown settings, nor values out of their choices", () => {
  // @ts-expect-error
  expect(() => pgd({ epsilon, targets: 3 })).toThrow(/PGD has no setting targets; it has loss, norm/);
  // @ts-expect-error
  expect(() => pgd({ epsilon, loss: "targeted-dlr" })).toThrow(/PGD: loss must be one of ce, dlr/);
  // @ts-expect-error
  expect(() => pgd({ epsilon, norm: "l1" })).toThrow(/PGD: norm must be one of linf, l2, got l1/);
});

/** Takes options as `finetune` does. */
const accepts = (options: FinetuneOptions): FinetuneOptions => options;

describe("options of finetune", () => {
  test("memory chooses the micro-batch, so that both cannot be given", () => {
    expect([accepts({ memory: 2 ** 30 }), accepts({ microBatch: 4 })]).toHaveLength(2);
    // @ts-expect-error
    accepts({ memory: 2 ** 30, microBatch: 4 });
  });

  test("a run that is resumed has a folder", () => {
    expect([
      accepts({ run: "runs/a", resume: true }),
      accepts({ run: "runs/a" }),
      accepts({ resume: false }),
    ]).toHaveLength(3);
    // @ts-expect-error
    accepts({ resume: true });
  });

  test("one kind of misuse is not excused by the right use of the other", () => {
    // @ts-expect-error
    accepts({ memory: 2 ** 30, microBatch: 4, run: "runs/a", resume: true });
    // @ts-expect-error
    accepts({ microBatch: 4, resume: true });
    expect(accepts({ memory: 2 ** 30, run: "runs/a", resume: true })).toMatchObject({ resume: true });
  });
});
