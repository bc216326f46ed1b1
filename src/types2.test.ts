import { describe, expect, test } from "vitest";
import type { FinetuneOptions } from "./index.ts";

/*
 * Misuse that must not compile: `tsc` fails where an error that is expected does not occur. What is right beside it must
 * compile, so that no error has another reason.
 */

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
