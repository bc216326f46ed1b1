import { activations } from "./activations.ts";
import { aligned } from "./aligned.ts";
import { arrangements } from "./arrange.ts";
import { attentions } from "./attention/index.ts";
import { contrib } from "./contrib.ts";
import { diffusion } from "./diffusion.ts";
import { indexings } from "./indexing.ts";
import { linearAlgebra } from "./linear.ts";
import { losses } from "./losses.ts";
import { normalizations } from "./normalization.ts";
import { pools } from "./pools.ts";
import { recurrents } from "./recurrent.ts";
import { reductions } from "./reductions.ts";
import { resizes } from "./resize.ts";
import { samplings } from "./sampling/index.ts";
import type { Composites } from "./use.ts";
import { windowPools } from "./window-pools.ts";

/**
 * Operators that are written out in those of the graph, which have derivative rules: so these have derivatives as well.
 */
export const composites: Composites = {
  ...activations,
  ...aligned,
  ...normalizations,
  ...reductions,
  ...pools,
  ...losses,
  ...indexings,
  ...recurrents,
  ...samplings,
  ...linearAlgebra,
  ...windowPools,
  ...arrangements,
  ...resizes,
  ...attentions,
  ...contrib,
  ...diffusion,
};
