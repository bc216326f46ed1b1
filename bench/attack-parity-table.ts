import { readFileSync } from "node:fs";
import { formatEpsilon } from "../src/epsilon.ts";
import { markdownTable } from "./markdown.ts";

/** Effect of an attack by itself. */
export interface Measured {
  readonly attack: string;
  readonly epsilon: number;
  /** Share of all images, from 0 to 1, that withstood it. */
  readonly accuracy: number;
  readonly seconds: number;
  /**
   * Points of gradients that the runs behind its results looked at: all there are, where an attack has one run an image.
   */
  readonly points?: number;
  /** How many images were classified rightly, that is attacked. */
  readonly right: number;
  /** Positions of the images it broke. */
  readonly broken: readonly number[];
}

/** The largest losses that APGD reached from given starts. */
export interface Losses {
  readonly attack: string;
  readonly epsilon: number;
  /** Positions of the images. */
  readonly images: readonly number[];
  readonly bestLosses: readonly number[];
}

export type Ours = Measured | Losses;

const isLosses = (result: Ours): result is Losses => "bestLosses" in result;
const isMeasured = (result: Ours): result is Measured => "broken" in result;

/** Output of bench/peer/autoattack.py. */
export function readPeer(path: string): readonly Ours[] {
  const { right, attacks } = JSON.parse(readFileSync(path, "utf8")) as {
    readonly right: readonly number[];
    readonly attacks: readonly Ours[];
  };
  return attacks.map((result) => (isLosses(result) ? result : { ...result, right: right.length }));
}

/** Robust accuracies, seconds and the images that only one of the two breaks, as a Markdown table. */
export function parityTable(ours: readonly Ours[], peer: readonly Ours[]): string {
  const rows = pairs(ours.filter(isMeasured), peer.filter(isMeasured)).map(([a, b]) => {
    const only = (one: Measured, other: Measured): number => one.broken.filter((i) => !other.broken.includes(i)).length;
    if (a.right !== b.right) throw new Error(`${a.attack}: ${a.right} images are right here, ${b.right} there.`);
    return [
      a.attack,
      formatEpsilon(a.epsilon),
      `${a.right}`,
      (100 * a.accuracy).toFixed(1),
      (100 * b.accuracy).toFixed(1),
      (100 * (a.accuracy - b.accuracy)).toFixed(1),
      `${only(a, b)} / ${only(b, a)}`,
      a.seconds.toFixed(1),
      b.seconds.toFixed(1),
      (b.seconds / a.seconds).toFixed(2),
      `${(a.right / a.seconds).toFixed(2)} / ${(b.right / b.seconds).toFixed(2)}`,
    ];
  });
  return markdownTable(
    [
      ...["attack", "epsilon", "attacked", "accuracy, ours", "reference", "points", "broken by one alone"],
      ...["seconds, ours", "reference", "ratio", "images/s"],
    ],
    rows,
  );
}

/** How far the largest losses from the same starts lie apart, as a Markdown table. */
export function lossTable(ours: readonly Ours[], peer: readonly Ours[]): string {
  const rows = pairs(ours.filter(isLosses), peer.filter(isLosses)).map(([a, b]) => {
    if (`${a.images}` !== `${b.images}`) throw new Error(`${a.attack}: the losses are of different images.`);
    const apart = a.bestLosses
      .map((x, i) => Math.abs(x - b.bestLosses[i]!) / Math.max(Math.abs(x), Math.abs(b.bestLosses[i]!)))
      .sort((x, y) => x - y);
    const mean = ({ bestLosses }: Losses): string =>
      (bestLosses.reduce((sum, x) => sum + x, 0) / bestLosses.length).toFixed(5);
    return [
      ...[a.attack, formatEpsilon(a.epsilon), `${a.images.length}`],
      ...[apart.at(-1)!.toExponential(1), apart[Math.floor(apart.length / 2)]!.toExponential(1)],
      ...[`${apart.filter((x) => x <= 1e-3).length}`, mean(a), mean(b)],
    ];
  });
  return markdownTable(
    ["attack", "epsilon", "images", "largest", "median", "within 1e-3", "mean loss, ours", "reference"],
    rows,
  );
}

function pairs<R extends Ours>(ours: readonly R[], peer: readonly R[]): readonly (readonly [R, R])[] {
  return ours.flatMap((a) => {
    const b = peer.find(({ attack, epsilon }) => attack === a.attack && Math.abs(epsilon - a.epsilon) < 1e-9);
    return b ? [[a, b] as const] : [];
  });
}
