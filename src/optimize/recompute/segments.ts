import type { Node, Value } from "../../graph/index.ts";
import { byteSize, stored } from "../storage.ts";

/** Nodes of a forward pass that stand together, and what comes into them from the nodes before. */
export interface Segment {
  readonly nodes: readonly Node[];
  /** Values from earlier nodes that this or a later segment reads. */
  readonly boundary: readonly Value[];
}

/**
 * Cuts a forward pass where few bytes cross, to minimise the memory of the boundaries together with the values that the
 * backward pass reads of one segment at a time (Chen et al. 2016). Values of the first segment are always kept, since it
 * has no boundary to be recomputed from.
 *
 * @param nodes of the forward pass, in topological order
 * @param read the values of theirs that the backward pass reads
 */
export function segments(nodes: readonly Node[], read: ReadonlySet<Value>): readonly Segment[] {
  const crossing = crossings(nodes);
  const cuts = bestCuts(
    crossing.map((values) => total(values)),
    nodes.map(({ outputs }) => total(outputs.filter((output) => read.has(output)).map(stored))),
  );
  return [-1, ...cuts].map((cut, i) => ({
    nodes: nodes.slice(cut + 1, (cuts[i] ?? nodes.length - 1) + 1),
    boundary: crossing[cut] ?? [],
  }));
}

/** For every node the values that it and the nodes before it give to the nodes after it. */
function crossings(nodes: readonly Node[]): readonly (readonly Value[])[] {
  const lastRead = new Map<Value, number>();
  for (const [i, { inputs }] of nodes.entries()) for (const input of inputs) lastRead.set(input, i);
  let open: readonly Value[] = [];
  return nodes.map(({ outputs }, i) => {
    open = [...open, ...outputs].filter((value) => (lastRead.get(value) ?? i) > i);
    return open;
  });
}

function total(values: readonly Value[]): number {
  let sum = 0;
  for (const value of new Set(values.map(stored))) sum += byteSize(value);
  return sum;
}

/**
 * Positions to cut behind, ascending; none when keeping everything takes least.
 *
 * @param across bytes that cross behind a position
 * @param kept bytes of each position that the backward pass reads
 */
function bestCuts(across: readonly number[], kept: readonly number[]): readonly number[] {
  const before = [0];
  for (const bytes of kept) before.push(before.at(-1)! + bytes);
  const all = before.at(-1)!;
  let best: { readonly cuts: readonly number[]; readonly bytes: number } = { cuts: [], bytes: all };
  for (let largest = all; largest > all / 1024; largest *= 0.9) {
    const found = cheapestCuts(across, before, largest);
    if (found && found.bytes + largest < best.bytes) best = { cuts: found.cuts, bytes: found.bytes + largest };
  }
  return best.cuts;
}

/** The cuts that cost least such that no segment behind the first keeps more than `largest`, and what they cost. */
function cheapestCuts(
  across: readonly number[],
  before: readonly number[],
  largest: number,
): { readonly cuts: readonly number[]; readonly bytes: number } | undefined {
  const cost: number[] = [];
  const previous: (number | undefined)[] = [];
  let last: number | undefined;
  const all = before.at(-1)!;
  for (const [i, bytes] of across.entries()) {
    cost[i] = bytes + before[i + 1]!;
    for (let j = i - 1; j >= 0 && before[i + 1]! - before[j + 1]! <= largest; j--) {
      if (bytes + cost[j]! < cost[i]!) [cost[i], previous[i]] = [bytes + cost[j]!, j];
    }
    if (all - before[i + 1]! <= largest && (last === undefined || cost[i]! < cost[last]!)) last = i;
  }
  if (last === undefined) return undefined;
  const cuts: number[] = [];
  for (let cut: number | undefined = last; cut !== undefined; cut = previous[cut]) cuts.unshift(cut);
  return { cuts, bytes: cost[last]! };
}
