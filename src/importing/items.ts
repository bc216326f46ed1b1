import type { Value } from "../graph/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Known } from "./known.ts";

/** The meaning of a name in a file during import. */
export type Item =
  | { readonly kind: "value"; readonly value: Value }
  /** Numbers that are known before the model runs. */
  | { readonly kind: "known"; readonly known: Known }
  /** A tensor that the file holds under this name. It may be a weight. */
  | { readonly kind: "held"; readonly name: string; readonly tensor: Tensor }
  /** A sequence. */
  | { readonly kind: "list"; readonly items: readonly Item[] }
  /** An optional that holds nothing. */
  | { readonly kind: "nothing" };

export const valueItem = (value: Value): Item => ({ kind: "value", value });
export const knownItem = (known: Known): Item => ({ kind: "known", known });
export const listItem = (items: readonly Item[]): Item => ({ kind: "list", items });

/** A known number of rank 0. */
export const numberItem = (value: number, dtype: "int64" | "bool" = "int64"): Item =>
  knownItem({ dtype, shape: [], values: [value] });

/** Names and their items: those of a graph, then those of the graphs around it. */
export class Scope {
  readonly #items = new Map<string, Item>();
  readonly #outer: Scope | undefined;

  constructor(outer?: Scope) {
    this.#outer = outer;
  }

  find(name: string): Item | undefined {
    return this.#items.get(name) ?? this.#outer?.find(name);
  }

  bind(name: string, item: Item): void {
    this.#items.set(name, item);
  }
}
