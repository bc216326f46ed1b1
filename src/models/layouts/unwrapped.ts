import type { Tensor } from "../../tensor/index.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** Prefixes that PyTorch adds to names: DistributedDataParallel and AveragedModel, and torch.compile. */
const wrappers: ReadonlySet<string> = new Set(["module", "_orig_mod"]);

/** Counters that AveragedModel stores beside the weights. */
const counters: ReadonlySet<string> = new Set(["n_averaged"]);

/**
 * Tensors under the names that they have without wrappers: `module.` and `_orig_mod.` wherever they stand, and, where the
 * names are then of no known layout, what stands in front of all of them, such as `model.`.
 *
 * @param isKnown whether tensors of these names are of a known layout
 * @returns the same tensors where no name changes, or two would become one
 */
export function unwrapped(tensors: Tensors, isKnown: (tensors: Tensors) => boolean): Tensors {
  let found = renamed(tensors, (name) =>
    name
      .split(".")
      .filter((part) => !wrappers.has(part))
      .join("."),
  );
  while (!isKnown(found)) {
    const shorter = withoutFirst(found);
    if (shorter === undefined) return tensors;
    found = shorter;
  }
  return found;
}

/** Names without their common first part; undefined where they do not share one. */
function withoutFirst(tensors: Tensors): Tensors | undefined {
  const firsts = new Set([...tensors.keys()].map((name) => name.split(".")[0]));
  const isShared = firsts.size === 1 && [...tensors.keys()].every((name) => name.includes("."));
  return isShared ? renamed(tensors, (name) => name.slice(name.indexOf(".") + 1)) : undefined;
}

function renamed(tensors: Tensors, rename: (name: string) => string): Tensors {
  const weights = [...tensors].filter(([name]) => !counters.has(name));
  const all = new Map(weights.map(([name, tensor]) => [rename(name), tensor]));
  return all.size === weights.length ? all : tensors;
}
