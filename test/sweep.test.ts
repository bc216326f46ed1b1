import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { saveEncoder } from "../src/models/index.ts";
import { tinyEncoder } from "../src/testing/tiny.ts";
import { lore } from "./cli.ts";

const base = mkdtempSync(join(tmpdir(), "lore-sweep-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const at = (name: string): string => join(base, name);

beforeAll(() => {
  saveEncoder(tinyEncoder(), at("tiny"));
  const blend = { encoder: [at("tiny"), "{run}"], "held-out": "synthetic:16", data: "synthetic:8", weights: "0.5,1" };
  const description = {
    out: at("sweep"),
    train: { encoder: at("tiny"), data: "synthetic:16", epochs: 1, batch: 8, "attack-steps": 1, threads: 1 },
    runs: [
      { name: "recipe", seeds: [0, 1], options: { epsilon: "4/255" } },
      { name: "broken", options: { method: "tecoa", templates: "a photo of a {}" } },
    ],
    measure: [{ name: "front", command: "blend", options: { ...blend, attack: "pgd", steps: 1, threads: 1 } }],
  };
  writeFileSync(at("sweep.json"), JSON.stringify(description));
});

test("a sweep trains and measures; a run that fails takes no other along; what is done is not done again", async () => {
  const first = await lore(["sweep", at("sweep.json"), "--jobs", "2"]);
  expect(first.code, first.stderr).toBe(1);
  expect(first.stderr).toMatch(/recipe-1 front: done/);
  expect(first.stderr).toMatch(/broken-0 failed: .*no text tower/);
  expect(first.stdout).toMatch(/^front +weight 0\.5 clean +weight 0\.5 pgd 2\/255 +weight 1 clean/);
  expect(first.stdout).toMatch(/recipe-0 .*\nrecipe-1 /);
  expect(existsSync(at("sweep/broken-0.front.json"))).toBe(false);
  const answer = readFileSync(at("sweep/recipe-0.front.json"), "utf8");

  const second = await lore(["sweep", at("sweep.json"), "--json"]);
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(/recipe-0: kept/);
  expect(readFileSync(at("sweep/recipe-0.front.json"), "utf8")).toBe(answer);
  const rows = JSON.parse(second.stdout) as { run: string; accuracies: Record<string, number> }[];
  expect(rows.map(({ run }) => run)).toEqual(["recipe-0", "recipe-1"]);
  expect(Object.keys(rows[0]!.accuracies)).toContain("weight 1 pgd 2/255");
});
