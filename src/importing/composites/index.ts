import { activations } from "./activations.ts";
import { aligned } from "./aligned.ts";
import { arrangements } from "./arrange.ts";
import { attentions } from "./attention/index.ts";
import { contrib } from "./contrib.ts";
import { normalizations } from "./normalization.ts";
import { reductions } from "./reductions.ts";
import { resizes } from "./resize.ts";
import type { Composites } from "./use.ts";

/**
 * Operators that are written out in those of the graph, which have derivative rules: so these have derivatives as well.
 */
export const composites: Composites = {
  ...activations,
  ...aligned,
  ...normalizations,
  ...reductions,
  ...arrangements,
  ...resizes,
  ...attentions,
  ...contrib,
};
