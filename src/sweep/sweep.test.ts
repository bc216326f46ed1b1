import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../errors.ts";
import { accuraciesIn } from "./accuracies.ts";
import { readSweep } from "./description.ts";
import { planOf } from "./plan.ts";

const base = mkdtempSync(join(tmpdir(), "lore-sweep-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

function described(text: string) {
  const file = join(base, "sweep.yaml");
  writeFileSync(file, text);
  return readSweep(file);
}

const good = `
out: runs/s
train: { encoder: e.onnx, data: photos, limit: 64 }
runs:
  - { name: recipe, seeds: [0, 3], options: { epsilon: 2/255 } }
  - { name: fare, options: { method: fare, limit: 32, float16-copy: true, resume: false } }
measure:
  - { name: front, command: blend, options: { encoder: [e.onnx, "{run}"], held-out: photos, weights: "0,1" } }
`;

describe("a sweep", () => {
  test("is a training a seed, each with its measurements behind it; a run's own options win", () => {
    const plan = planOf(described(good));
    expect(plan.map(({ name }) => name)).toEqual([
      "recipe-0",
      "recipe-0 front",
      "recipe-3",
      "recipe-3 front",
      "fare-0",
      "fare-0 front",
    ]);
    expect(plan[2]!.args.join(" ")).toBe(
      "train --encoder e.onnx --data photos --limit 64 --epsilon 2/255 --seed 3 --out runs/s/recipe-3",
    );
    expect(plan[4]!.args.join(" ")).toBe(
      "train --encoder e.onnx --data photos --limit 32 --method fare --float16-copy --seed 0 --out runs/s/fare-0",
    );
    expect(plan[5]!.args.join(" ")).toBe("blend --encoder e.onnx runs/s/fare-0 --held-out photos --weights 0,1");
    expect(new Set(plan.map(({ answer }) => answer)).size).toBe(6);
  });

  test.each([
    ["no runs", "out: x", /"runs" is missing/],
    ["an unknown field", `${good}\nseed: 3`, /no field "seed"/],
    ["a name twice", good.replace("name: fare", "name: recipe"), /two runs are called recipe/],
    ["a name that leaves the folder", good.replace("name: fare", "name: ../fare"), /"..\/fare" is no name of a folder/],
    ["seeds that are none", good.replace("[0, 3]", "[0, -3]"), /run 1, seeds: whole numbers/],
    ["another command", good.replace("command: blend", "command: rm"), /evaluate or blend/],
    ["options that are none", good.replace("{ epsilon: 2/255 }", "[epsilon]"), /run 1, options: options by name/],
    ["no YAML", "runs: [", /neither YAML nor JSON/],
  ])("%s is refused, saying where", (_, text, message) => {
    expect(() => described(text)).toThrow(UsageError);
    expect(() => described(text)).toThrow(message);
  });
});

test("accuracies of what evaluate and blend print, by blend and encoder", () => {
  const one = { encoder: "a", clean: 0.5, attacks: [{ attack: "pgd", epsilon: 2 / 255, accuracy: 0.25 }] };
  expect([...accuraciesIn(one)]).toEqual([
    ["clean", 0.5],
    ["pgd 2/255", 0.25],
  ]);
  expect([...accuraciesIn([one, { ...one, encoder: "b", clean: 1 }]).keys()]).toContain("b pgd 2/255");
  expect([...accuraciesIn({ points: [{ weight: 0.5, kept: 1, evaluation: one }] })]).toEqual([
    ["weight 0.5 clean", 0.5],
    ["weight 0.5 pgd 2/255", 0.25],
  ]);
  expect([...accuraciesIn({ kept: 1 })]).toEqual([]);
});
