import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Option } from "commander";
import { UsageError } from "../src/errors.ts";
import { runJson } from "./process.ts";

/** A Python with PyTorch. */
export interface Peer {
  readonly command: readonly string[];
  /** PyTorch's version. */
  readonly torch: string;
}

export const peerOption = (): Option =>
  new Option("--peer <command>", 'how to start a Python with PyTorch, such as "chroot /srv/peer python3"').default(
    "python3",
  );

/**
 * Makes sure that the peer starts, before anything is measured.
 *
 * @param text words between spaces, no shell
 * @throws UsageError when no Python with PyTorch starts this way
 */
export async function findPeer(text: string): Promise<Peer> {
  const command = text.split(" ").filter((word) => word !== "");
  try {
    const probe = "import json, torch; print(json.dumps(torch.__version__))";
    return { command, torch: await runJson<string>([...command, "-c", probe]) };
  } catch (cause) {
    throw new UsageError(
      `The peer does not start. Give --peer the command of a Python with PyTorch; bench/peer/README.md says how to get ` +
        `one.\n${(cause as Error).message}`,
      { cause },
    );
  }
}

/**
 * Runs a script of `bench/peer/` and reads the JSON it prints. The script itself is an argument of Python's, so that one
 * in another root needs no file of it.
 */
export function runPeer<T>(peer: Peer, script: "lore_step.py" | "autoattack.py", args: readonly string[]): Promise<T> {
  const code = readFileSync(join(import.meta.dirname, "peer", script), "utf8");
  return runJson<T>([...peer.command, "-c", code, ...args]);
}
