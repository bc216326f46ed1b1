import { rows } from "../../src/importing/honoured/index.ts";

/** Whether docs/OPERATORS.md lists an operator: `Op`, or `domain:Op`. */
export const isListed = (operator: string): boolean => Object.hasOwn(rows, operator);
