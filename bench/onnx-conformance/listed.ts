import { operators } from "../../src/graph/operators/index.ts";
import { composites } from "../../src/importing/composites/index.ts";
import { evaluators } from "../../src/importing/evaluators.ts";
import { rewrites } from "../../src/importing/quantized/float-graph.ts";

/** What the importer takes care of before it looks at its tables. */
const others: ReadonlySet<string> = new Set([
  "Constant",
  "ConstantOfShape",
  "Dropout",
  "If",
  "Shape",
  "Size",
  "Upsample",
]);

/** Whether docs/OPERATORS.md lists an operator: `Op`, or `domain:Op`. */
export const isListed = (operator: string): boolean =>
  others.has(operator) || [operators, composites, evaluators, rewrites].some((table) => Object.hasOwn(table, operator));
