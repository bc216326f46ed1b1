import { formatEpsilon } from "../src/epsilon.ts";
import { LoreError } from "../src/errors.ts";
import { spreadOf } from "../src/profiling/timing.ts";
import { percent } from "../src/report/table.ts";
import type { Measured } from "./attack-parity-table.ts";
import { describeMachine, type Machine } from "./machine.ts";
import { digits, markdownTable, spreadCell } from "./markdown.ts";
import { type Round, ratioOf } from "./rounds.ts";

/** An attack's time and effect. */
export type AttackRate = Measured & { readonly points: number };

/** Everything that a call of bench/compare-attack.ts measured. */
export interface AttackComparison {
  readonly machine: Machine;
  readonly threads: number;
  /** Images at a time. */
  readonly batch: number;
  readonly peerBatch: number;
  /** PyTorch's version. */
  readonly torch: string;
  readonly rounds: readonly Round<AttackRate, AttackRate>[];
}

/** @throws LoreError when the two sides do not classify the same number of images rightly */
export function checkSameImages({ ours, peer }: Round<AttackRate, AttackRate>): void {
  if (ours.right !== peer.right)
    throw new LoreError(
      `The two sides attacked other images: ${ours.right} are classified rightly here, ${peer.right} there.`,
    );
}

/** A row a figure: ours, the reference's and their ratio; seconds below 1 and images/s above 1 are in our favour. */
export function attackTable({ machine, threads, batch, peerBatch, torch, rounds }: AttackComparison): string {
  const { attack, epsilon, right } = rounds[0]!.ours;
  const row = (name: string, figure: (rate: AttackRate) => number): readonly string[] => [
    name,
    spreadCell(spreadOf(rounds.map(({ ours }) => figure(ours)))),
    spreadCell(spreadOf(rounds.map(({ peer }) => figure(peer)))),
    spreadCell(
      ratioOf(
        rounds,
        ({ ours }) => figure(ours),
        ({ peer }) => figure(peer),
      ),
    ),
  ];
  // The same in every round: both sides draw the same random numbers again.
  const { ours, peer } = rounds[0]!;
  const rows = [
    row("seconds", ({ seconds }) => seconds),
    row("images/s", ({ seconds }) => right / seconds),
    row("ms a point", ({ seconds, points }) => (1000 * seconds) / points),
    ["points", `${ours.points}`, `${peer.points}`, digits(ours.points / peer.points)],
    ["accuracy left", percent(ours.accuracy), percent(peer.accuracy), ""],
  ];
  return [
    `${describeMachine(machine)}; PyTorch ${torch}; ${threads} threads; ${rounds.length} rounds`,
    `${attack} at ${formatEpsilon(epsilon)} on ${right} images; batches of ${batch} here, ${peerBatch} there`,
    markdownTable(["", "ours", "reference in PyTorch", "ratio"], rows),
  ].join("\n\n");
}
