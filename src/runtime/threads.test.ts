import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Graph } from "../graph/index.ts";
import { compile } from "./node.ts";
import { threadsOf, usualThreads } from "./threads.ts";

const root = mkdtempSync(join(tmpdir(), "lore-threads-"));
afterAll(() => rmSync(root, { recursive: true }));

/** A folder as Linux writes it, of processors with these siblings; undefined where one is switched off. */
function processors(...siblings: readonly (string | undefined)[]): string {
  const folder = mkdtempSync(join(root, "cpu-"));
  mkdirSync(join(folder, "cpufreq"));
  for (const [i, list] of siblings.entries()) {
    mkdirSync(join(folder, `cpu${i}`, "topology"), { recursive: true });
    if (list) writeFileSync(join(folder, `cpu${i}`, "topology", "thread_siblings_list"), `${list}\n`);
  }
  return folder;
}

describe("one thread a core", () => {
  test("where each processor is a core", () => {
    expect(threadsOf(processors("0", "1", "2"), 3)).toEqual({ threads: 3 });
  });

  test("where two processors share one", () => {
    expect(threadsOf(processors("0,2", "1,3", "0,2", "1,3"), 4)).toEqual({ threads: 2 });
  });

  test("but no more than the process may keep busy", () => {
    expect(threadsOf(processors("0", "1", "2", "3"), 2)).toEqual({ threads: 2 });
  });

  test("of those that are switched on", () => {
    expect(threadsOf(processors("0", undefined, "2"), 2)).toEqual({ threads: 2 });
  });

  test("or ONNX Runtime's own choice where nothing is known", () => {
    for (const folder of [join(root, "none"), processors(), processors(undefined)]) {
      expect(threadsOf(folder, 4)).toEqual({});
    }
  });
});

test.runIf(process.platform === "linux")(
  "a program has as many threads as that, the calling one included",
  async () => {
    const count = (): number => readdirSync("/proc/self/task").length;
    const g = new Graph();
    const y = g.neg(g.input("x", "float32", [1]));
    // The first starts what stays.
    await (await compile({ y })).dispose();
    const before = count();
    const program = await compile({ y });
    expect(1 + count() - before).toBe(usualThreads().threads);
    await program.dispose();
  },
);
