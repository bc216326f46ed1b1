import type { Apgd } from "./apgd.ts";
import type { Origin, Search } from "./search.ts";
import type { ThreatModel } from "./threat.ts";

/** Auto-PGD for l1 (Croce and Hein 2021, "Mind the box"), with the reference implementation's three radii. */
export function* apgdL1Search(attack: Apgd & ThreatModel<"l1">, origin: Origin, target?: number): Search {
  yield { point: origin.clean };
  throw new Error(`not yet: ${attack.kind} ${target}`);
}
