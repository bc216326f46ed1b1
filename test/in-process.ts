import { expect, vi } from "vitest";
import { lore as run } from "../src/cli/lore.ts";
import type { CliResult } from "./cli.ts";

/** Runs `lore` in this process: one of its own costs a second. */
export async function lore(args: readonly string[]): Promise<CliResult> {
  const written = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      written[name] += String(chunk);
      return true;
    }),
  );
  try {
    return { code: await run(args), ...written };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** Bad input: exit code 2, a message that says this, no stack trace, nothing on stdout. */
export async function expectRefused(args: readonly string[], ...messages: readonly RegExp[]): Promise<void> {
  const { code, stdout, stderr } = await lore(args);
  for (const message of messages) expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/unexpected error|^ +at /m);
  expect(stdout).toBe("");
  expect(code, stderr).toBe(2);
}
