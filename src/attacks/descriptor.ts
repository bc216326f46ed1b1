import { UsageError } from "../errors.ts";
import type { Origin, Search } from "./search.ts";
import { checkRanges, completed, type SettingName, type SettingsOf, type SettingTable } from "./settings.ts";
import type { AttackLoss } from "./target.ts";
import { checkThreatModel, type Norm } from "./threat.ts";

/** Settings that every attack has, and some that mean the same wherever an attack has them. */
export interface AnyAttack {
  readonly kind: string;
  /** In pixel units of [0, 1]: 2/255, not 2. */
  readonly epsilon: number;
  /** Independent runs an image (and a target); the worst counts. */
  readonly restarts: number;
  /** Norm of the ball around the image that the attack stays in. */
  readonly norm?: Norm;
  /** Evaluations of every point that are averaged. */
  readonly eot?: number;
}

/** An attack as one of its names on the command line and in suites has it. */
interface Variant<Name extends PropertyKey = string> {
  /** Settings that the name stands for. */
  readonly fixed?: { readonly [K in Name]?: unknown };
  /** Settings that may be given with it, besides epsilon. */
  readonly takes: readonly Name[];
}

/** Which of an image's runs a search is. */
export interface Run {
  /** The image's classes besides its label, the likeliest first; empty where the attack aims at none. */
  readonly others: readonly number[];
  /** Index into `others` of the class aimed at. */
  readonly rank: number;
  readonly restart: number;
}

/**
 * All that is known of one kind of attack. Scheduling, command line, suites and reports read it here: a new attack is one
 * descriptor and one line in `registry.ts`.
 */
export interface AttackDescriptor<A extends AnyAttack> extends AttackKind<A> {
  readonly settings: SettingsOf<A> & SettingTable;
  readonly variants: Readonly<Record<string, Variant<SettingName<A> & string>>>;
}

/** A descriptor as others read it, of any attack. */
export interface AttackKind<A extends AnyAttack> {
  readonly kind: A["kind"];
  /** For messages. */
  readonly title: string;
  readonly variants: Readonly<Record<string, Variant>>;
  readonly settings: SettingTable;
  /** Whether the search reads the loss's gradient. */
  readonly gradient: boolean;
  /** The attack's name in results, for example `apgd-t`; random numbers depend on it. */
  name(attack: A): string;
  /** The loss that the search maximises. */
  loss(attack: A): AttackLoss;
  /** Smallest number of classes that the attack works with. */
  classes(attack: A): number;
  /** Classes aimed at one after the other; 0 where the attack does not aim. */
  targets(attack: A): number;
  /** The largest number of points that one run evaluates, among so many classes. */
  points(attack: A, classes: number): number;
  /** The norm that bounds perturbations; "none" where nothing does. */
  norm(attack: A): Norm | "none";
  /** Settings in words, besides norm, epsilon and restarts. */
  describe(attack: A, targets: string): readonly string[];
  search(attack: A, origin: Origin, run: Run): Search;
  /** Throws a UsageError when settings do not go together. */
  check?(attack: A): void;
}

/** A kind of attack under one of its names. */
export type NamedKind<A extends AnyAttack> = AttackKind<A> & { readonly variant: Variant };

/**
 * An attack with the defaults of its kind.
 *
 * @throws UsageError when a setting is unknown or out of range, or settings do not go together
 */
export function attackOf<A extends AnyAttack>(
  descriptor: Pick<AttackKind<A>, "kind" | "title" | "settings" | "check">,
  { epsilon, ...given }: { readonly epsilon: number },
): A {
  const { kind, title, settings } = descriptor;
  const complete = completed(title, settings, epsilon, given);
  // The defaults of others depend on epsilon.
  checkEpsilon(title, { ...complete, epsilon });
  checkRanges(title, settings, complete);
  const attack = { kind, ...complete, epsilon } as unknown as A;
  descriptor.check?.(attack);
  return attack;
}

function checkEpsilon(title: string, { norm, epsilon }: Pick<AnyAttack, "norm" | "epsilon">): void {
  if (norm) checkThreatModel({ norm, epsilon });
  else if (!(epsilon >= 0 && epsilon <= 1))
    throw new UsageError(`${title}: epsilon ${epsilon} is outside [0, 1]; write 2/255, not 2.`);
}
