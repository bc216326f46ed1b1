import { activations } from "./activations.ts";
import { arrangements } from "./arrange.ts";
import { contrib } from "./contrib.ts";
import { normalizations } from "./normalization.ts";
import { reductions } from "./reductions.ts";
import { resizes } from "./resize.ts";
import type { Composites } from "./use.ts";
import { windowPools } from "./window-pools.ts";

/**
 * Operators that are written out in those of the graph, which have derivative rules: so these have derivatives as well.
 */
export const composites: Composites = {
  ...activations,
  ...normalizations,
  ...reductions,
  ...windowPools,
  ...arrangements,
  ...resizes,
  ...contrib,
};
