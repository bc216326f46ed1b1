import type { Value } from "../graph/index.ts";
import { withFewQueries } from "./few-queries.ts";
import { withFusedNorms } from "./fused-norms.ts";
import { withScaledProducts } from "./scaled-products.ts";
import { withSharedErf } from "./shared-erf.ts";
import { withSplitProducts } from "./split-products.ts";
import { withSwishDerivative } from "./swish-derivative.ts";
import { withoutUnreadRows } from "./unread-rows.ts";

/*
 * Graph passes: each gives values equal to the given ones (up to rounding) that cost less, in the same graph. What they
 * leave behind unused is not compiled.
 */

/** Passes over a model before it is differentiated: what they save, the derivatives save too. */
export function leaner(value: Value): Value {
  const few = withFewQueries(withoutUnreadRows([value]));
  return withoutUnreadRows(withSplitProducts(few))[0]!;
}

/** Passes over a model as a file writes it. */
export function refined(value: Value): Value {
  return leaner(withFusedNorms([value])[0]!);
}

/** Passes over everything that one program computes. */
export function compilable(values: readonly Value[]): readonly Value[] {
  return withScaledProducts(withSwishDerivative(withSharedErf(values)));
}
