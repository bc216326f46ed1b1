import { counted } from "../words.ts";
import { apgdAttack } from "./apgd.ts";
import type { AnyAttack, AttackKind } from "./descriptor.ts";
import { fabAttack } from "./fab.ts";
import { noiseAttack } from "./noise.ts";
import { pgdAttack } from "./pgd.ts";
import { squareAttack } from "./square.ts";
import { type AttackLoss, type EmbeddingLoss, isEmbeddingLoss } from "./target.ts";
import type { Norm } from "./threat.ts";

/** Every kind of attack. The order is that of help texts. */
const registry = {
  pgd: pgdAttack,
  apgd: apgdAttack,
  fab: fabAttack,
  square: squareAttack,
  noise: noiseAttack,
} as const;

type Registry = typeof registry;

/** The settings of one attack. */
export type Attack = Parameters<Registry[keyof Registry]["search"]>[0];

/** An attack that stays in a ball of some norm around the image, and so may stand in a list. */
export type BallAttack = Extract<Attack, { readonly norm: Norm }>;

/** An attack whose loss is a distance of embeddings; it needs no labels. */
export type EmbeddingAttack = Extract<Attack, { readonly loss: AttackLoss }> & { readonly loss: EmbeddingLoss };

/** A name of one attack on the command line and in suites. */
export type SingleName = { [K in keyof Registry]: keyof Registry[K]["variants"] }[keyof Registry] & string;

export const attackKinds: readonly AttackKind<Attack>[] = Object.values(registry);

export function kindOf(attack: Attack): AttackKind<Attack> {
  return registry[attack.kind];
}

export function isEmbeddingAttack(attack: Attack): attack is EmbeddingAttack {
  return isEmbeddingLoss(kindOf(attack).loss(attack));
}

/** The name in results: `apgd-ce`, `apgd-t`, `fab-t`, `square` ... */
export function attackName(attack: Attack): string {
  return kindOf(attack).name(attack);
}

/** The loss that an attack maximises, and whether it reads the gradient. */
export function attackLoss(attack: Attack): { readonly loss: AttackLoss; readonly gradient: boolean } {
  const kind = kindOf(attack);
  return { loss: kind.loss(attack), gradient: kind.gradient };
}

/** Smallest number of classes that an attack works with: 1 on embeddings, else 2 to 4. */
export function classesNeeded(attack: Attack): number {
  return kindOf(attack).classes(attack);
}

/** Classes that an attack aims at one after the other, among so many; 1 where it does not aim. */
export function targetCount(attack: Attack, classes = Infinity): number {
  const targets = kindOf(attack).targets(attack);
  return targets === 0 ? 1 : Math.min(targets, classes - 1);
}

/** The largest number of points that an attack evaluates for one image, among so many classes. */
export function maxPoints(attack: Attack, classes: number): number {
  return attack.restarts * targetCount(attack, classes) * kindOf(attack).points(attack, classes);
}

/** The norm that bounds the attack's perturbations; "none" where nothing does. */
export function attackNorm(attack: Attack): Norm | "none" {
  return kindOf(attack).norm(attack);
}

/**
 * An attack's settings in words: `apgd-t linf, 100 steps, 9 targets`. Epsilon is left out.
 *
 * @param classes among which images were classified: the attack aims at no more than the others
 */
export function describeSettings(attack: Attack, classes = Infinity): string {
  const targets = counted(targetCount(attack, classes), "target");
  const { norm, restarts }: AnyAttack = attack;
  return [
    norm ? `${attackName(attack)} ${norm}` : attackName(attack),
    ...kindOf(attack).describe(attack, targets),
    ...(restarts > 1 ? [`${restarts} runs`] : []),
  ].join(", ");
}
