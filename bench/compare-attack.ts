/**
 * The judge of the attacks' speed: APGD-CE (l-inf, 100 steps) by `evaluate` and by the reference implementation in PyTorch
 * (bench/peer/autoattack.py), alternately, each time in a process of its own, on the same encoder, images and number of
 * threads. Prints seconds, images/s, and what stands behind them: points (a forward pass and the gradient of one image),
 * of which ours needs fewer, since an image is done with when it is broken; and the time a point takes.
 *
 *     npx tsx bench/compare-attack.ts --encoder runs/lore/encoder --data photos/val --image-size 112 --epsilon 4/255 \
 *       --peer "chroot /srv/peer python3" --out /srv/peer/compare --peer-out /compare --reference /auto-attack
 */
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { parseCount, parseEpsilon } from "../src/cli/parsers.ts";
import { writeAtomically } from "../src/files.ts";
import { usualBatch } from "../src/inference/forward.ts";
import { type AttackComparison, type AttackRate, attackTable, checkSameImages } from "./attack-rate-table.ts";
import { thisMachine } from "./machine.ts";
import { main } from "./main.ts";
import { compileOnce } from "./once.ts";
import type { WhatIsAttacked } from "./parity-attacks.ts";
import { findPeer, type Peer, peerOption, runPeer } from "./peer.ts";
import { alternate, type Round } from "./rounds.ts";

interface Flags extends Omit<WhatIsAttacked, "queries"> {
  readonly rounds: number;
  readonly peer: string;
  readonly peerBatch: number;
  readonly out: string;
  readonly peerOut?: string;
  readonly reference: string;
  readonly json?: string;
}

const command = new Command("compare-attack")
  .description("time APGD-CE here and in the reference implementation, alternately")
  .requiredOption("--encoder <path>", "a ViT with a fixed head, in timm's layout")
  .requiredOption("--data <path>", "labelled images")
  .requiredOption("--out <folder>", "where what the peer needs is written")
  .requiredOption("--reference <folder>", "a clone of fra31/auto-attack, as the peer sees it")
  .option("--peer-out <folder>", "the --out folder as the peer sees it (default: the same path)")
  .addOption(peerOption())
  .option("--image-size <n>", "side of the input in pixels (default: the encoder's own)", parseCount)
  .option("--limit <n>", "images, taken class by class in turn", parseCount, 200)
  .option("--epsilon <size>", "l-inf, such as 2/255", parseEpsilon, 2 / 255)
  .option("--batch <n>", "images at a time here", parseCount, usualBatch)
  .option("--peer-batch <n>", "images at a time there", parseCount, 250)
  .option("--threads <n>", "of both sides", parseCount, availableParallelism())
  .option("--rounds <n>", "processes a side, ours and the peer's in turn", parseCount, 3)
  .option("--json <file>", "keep what is measured; written after every round")
  .action(run);

async function run(flags: Flags): Promise<void> {
  const { encoder, data, imageSize, limit, epsilon, batch, peerBatch, threads, rounds, json } = flags;
  const peer = await findPeer(flags.peer);
  const once = compileOnce();
  const what: WhatIsAttacked = {
    ...{ encoder, data, limit, epsilon, batch, threads, queries: 1 },
    ...(imageSize !== undefined && { imageSize }),
  };
  await once("attack-data", { ...what, folder: flags.out });
  const measured: Round<AttackRate, AttackRate>[] = [];
  const { torch } = peer;
  const comparison: AttackComparison = { machine: thisMachine(), threads, batch, peerBatch, torch, rounds: measured };
  await alternate(
    rounds,
    () => once<AttackRate>("attack", what),
    () => peerAttack(peer, flags),
    (round) => {
      checkSameImages(round);
      measured.push(round);
      if (json !== undefined) writeAtomically(json, `${JSON.stringify(comparison, undefined, 1)}\n`);
      const { ours, peer } = round;
      process.stderr.write(`ours ${ours.seconds.toFixed(1)} s, reference ${peer.seconds.toFixed(1)} s\n`);
    },
  );
  process.stdout.write(`${attackTable(comparison)}\n`);
}

async function peerAttack(peer: Peer, { out, peerOut = resolve(out), ...flags }: Flags): Promise<AttackRate> {
  const options = {
    reference: flags.reference,
    encoder: join(peerOut, "encoder"),
    data: join(peerOut, "data.safetensors"),
    epsilon: flags.epsilon,
    attacks: "apgd-ce",
    batch: flags.peerBatch,
    threads: flags.threads,
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  const { right, attacks } = await runPeer<{
    readonly right: readonly number[];
    readonly attacks: readonly Omit<AttackRate, "right">[];
  }>(peer, "autoattack.py", args);
  return { ...attacks[0]!, right: right.length };
}

await main(command);
