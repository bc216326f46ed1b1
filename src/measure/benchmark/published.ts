import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { PublishedAccuracies, PublishedRow } from "../../results/index.ts";
import { readText } from "../../text.ts";
import { type Suite, suiteEpsilons } from "./suite.ts";

/** Our own file; figures in per cent by epsilon in 1/255. */
interface PublishedFile {
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly encoder: string;
    readonly source: string;
    readonly accuracy?: Readonly<Record<string, readonly number[]>>;
    readonly imagenet?: Readonly<Record<string, number>>;
    readonly average: Readonly<Record<string, number>>;
  }[];
}

const file = fileURLToPath(new URL("../../../assets/suites/published.yaml", import.meta.url));
const imagenet = "imagenet";

/** Converts per cent with at most two decimals to a share. */
function share(percent: number): number {
  return Math.round(100 * percent) / 1e4;
}

/** All published rows, with the averages as printed. */
export function allPublished(): { readonly averaged: readonly string[]; readonly rows: readonly PublishedRow[] } {
  const { columns, rows } = parse(readText(file)) as PublishedFile;
  return {
    averaged: columns.filter((name) => name !== imagenet),
    rows: rows.map(({ encoder, source, accuracy = {}, imagenet: own = {}, average }) => ({
      encoder,
      source,
      accuracies: Object.entries(average).map(([epsilon, mean]) => ({
        epsilon: Number(epsilon),
        bySet: {
          ...(own[epsilon] !== undefined && { [imagenet]: share(own[epsilon]) }),
          ...Object.fromEntries((accuracy[epsilon] ?? []).map((figure, i) => [columns[i]!, share(figure)])),
        },
        average: share(mean),
      })),
    })),
  };
}

/**
 * Zero-shot figures that the papers of LORE and FARE print, for the sets and epsilons that a suite has too. Sets are the
 * same where their names are (`cifar10`, `imagenet-r` ...; see the suite `zeroshot-13`).
 */
export function publishedRows(suite: Suite): readonly PublishedRow[] {
  const { averaged, rows } = allPublished();
  const names = new Set(suite.sets.map(({ name }) => name));
  const own = suite.sets.filter((set) => set.averaged).map(({ name }) => name);
  const sameAverage = [...own].sort().join() === [...averaged].sort().join();
  const epsilons = [0, ...suiteEpsilons(suite).map((epsilon) => epsilon * 255)];
  const isAsked = ({ epsilon }: PublishedAccuracies): boolean =>
    epsilons.some((asked) => Math.abs(asked - epsilon) < 1e-6);
  const fitting = ({ epsilon, bySet, average }: PublishedAccuracies): readonly PublishedAccuracies[] => {
    const shared = Object.fromEntries(Object.entries(bySet).filter(([name]) => names.has(name)));
    const kept = { epsilon, bySet: shared, ...(sameAverage && average !== undefined && { average }) };
    return sameAverage || Object.keys(shared).length > 0 ? [kept] : [];
  };
  return rows
    .map((row) => ({ ...row, accuracies: row.accuracies.filter(isAsked).flatMap(fitting) }))
    .filter(({ accuracies }) => accuracies.length > 0);
}
