import { blockedRows } from "./blocked.ts";
import { contribRows } from "./contrib.ts";
import { controlRows } from "./control.ts";
import { quantizedRows } from "./quantized.ts";
import { recurrentRows } from "./recurrent.ts";
import type { Rows } from "./row.ts";
import { standardRows } from "./standard.ts";

/** Every operator that a file may have, with its honoured parts. */
export const rows: Rows = {
  ...standardRows,
  ...controlRows,
  ...recurrentRows,
  ...contribRows,
  ...quantizedRows,
  ...blockedRows,
};
