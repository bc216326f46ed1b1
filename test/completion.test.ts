import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { expectRefused, lore } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "lore-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Bash's proposals for the last of these words. */
function proposed(script: string, ...words: readonly string[]): readonly string[] {
  const path = join(folder, "completion.bash");
  const line = words.map((word) => `"${word}"`).join(" ");
  writeFileSync(
    path,
    `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _lore; echo "\${COMPREPLY[*]}"\n`,
  );
  return execFileSync("bash", [path], { encoding: "utf8" }).trim().split(/\s+/).filter(Boolean);
}

describe("bash", () => {
  test("completes commands, their options and the values of those that have few", async () => {
    const { code, stdout } = await lore(["completion", "bash"]);
    expect(code).toBe(0);
    expect(proposed(stdout, "lore", "e")).toEqual(["evaluate", "embed"]);
    expect(proposed(stdout, "lore", "embed", "--n")).toEqual(["--nearest", "--normalization"]);
    expect(proposed(stdout, "lore", "train", "--method", "")).toEqual(["robust", "lore", "fare", "tecoa"]);
    expect(proposed(stdout, "lore", "doctor", "--")).toEqual(["--json"]);
    // Nothing of its own: files.
    expect(proposed(stdout, "lore", "evaluate", "--data", "")).toEqual([]);
  });
});

test("zsh takes bash's through its own layer; fish has a line per option, with its help", async () => {
  expect((await lore(["completion", "zsh"])).stdout).toMatch(
    /^autoload -U \+X bashcompinit && bashcompinit\n_lore\(\)/,
  );
  const { stdout } = await lore(["completion", "fish"]);
  expect(stdout).toContain("complete -c lore -n __fish_use_subcommand -f -a embed -d 'embed images or texts");
  expect(stdout).toContain("-l device -x -a 'auto cpu webgpu cuda' -d 'where to compute");
  expect(stdout).toContain("-l data -r -d 'labelled images");
  // Each quotation mark is closed.
  for (const line of stdout.split("\n")) expect(line.replace(/\\['\\]/g, "").split("'").length % 2).toBe(1);
});

test("another shell is refused", async () => {
  await expectRefused(["completion", "tcsh"], /bash, zsh, fish/);
});
