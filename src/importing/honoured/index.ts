import { contribRows } from "./contrib.ts";
import { quantizedRows } from "./quantized.ts";
import type { Rows } from "./row.ts";
import { standardRows } from "./standard.ts";

/** Every operator that a file may have, and what of it is honoured. */
export const rows: Rows = { ...standardRows, ...contribRows, ...quantizedRows };
