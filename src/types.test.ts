import { describe, expect, test } from "vitest";
import { innerAttack } from "./attacks/index.ts";
import { UsageError } from "./errors.ts";
import { apgd, attackEmbeddings, type EmbeddingAttackOptions, type Encoder, fab, pgd, square } from "./index.ts";

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
